"""Mistakes that any layer with a weight can have: each function makes a class with one out of a right class."""


def returns_all_gradients(right):
    class ReturnsAllGradients(right):
        def backward(self, grad_y, cache):
            return super().backward(grad_y, cache), self.weight.grad

    return ReturnsAllGradients


def gradient_in_a_list(right):
    class GradientInAList(right):
        def backward(self, grad_y, cache):
            grad_x = super().backward(grad_y, cache)
            self.weight.grad = self.weight.grad.tolist()
            return grad_x

    return GradientInAList
