"""Images to train and to measure on: photographs, and pairs made from them."""
