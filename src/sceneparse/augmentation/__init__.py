"""What training changes in a picture at random, and how."""
