"""What is stored of vectors and trainings: listed, computed ahead, dropped."""
