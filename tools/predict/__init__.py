"""What do image files show?"""
