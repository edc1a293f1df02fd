"""Who finds the features of a folder of images and matches its pairs: this process, or many."""
