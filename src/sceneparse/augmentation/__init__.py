"""What training changes in an image at random, and how."""
