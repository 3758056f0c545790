"""Input and output: reads images and settings, and fixes how results are written.

For example, it rounds metrics to six digits. It also draws the garments: small synthetic pictures
of clothes, which are a second source of images.
"""
