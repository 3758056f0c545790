"""All that can change a number: values and arrays in, values and arrays out."""
