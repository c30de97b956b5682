"""One style for all drawings. The colours can be told apart by colour-blind readers, and in grey.

Source: Okabe and Ito 2008, "Color Universal Design".
"""

BLUE, ORANGE, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
SKY, YELLOW, BLACK, GREY = "#56b4e9", "#e69f00", "#000000", "#999999"
FORWARD, BACKWARD, SHORTCUT = BLUE, ORANGE, GREEN  # arrows of the forward pass, of the backward pass, and shortcuts
