"""What does it cost? Shapes, multiply-adds, memory and time, layer by layer."""
