"""What does it look like? Drawings for the tutorials, so that their cells are about the subject."""
