"""The networks in PyTorch, for these tests: ResNet-20 (He et al. 2015, section 4.2) and torchvision's ResNets."""

from torch import nn
from torch.nn import functional as F


class Basic(nn.Module):
    def __init__(self, inputs, width, stride, shortcut):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.downsample = shortcut(inputs, width, stride)

    def forward(self, x):
        h = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(h + self.downsample(x))


class ReluFirst(Basic):
    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))) + self.downsample(x)


class PreAct(Basic):
    def __init__(self, inputs, width, stride, shortcut):
        super().__init__(inputs, width, stride, shortcut)
        self.bn1 = nn.BatchNorm2d(inputs)

    def forward(self, x):
        return self.conv2(F.relu(self.bn2(self.conv1(F.relu(self.bn1(x)))))) + self.downsample(x)


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride, shortcut):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        self.downsample = shortcut(inputs, 4 * width, stride)

    def forward(self, x):
        h = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        return F.relu(self.bn3(self.conv3(h)) + self.downsample(x))


class OptionA(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.more, self.stride = (outputs - inputs) // 2, stride

    def forward(self, x):
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.more, self.more))


def option_a(inputs, outputs, stride):
    return nn.Identity() if inputs == outputs and stride == 1 else OptionA(inputs, outputs, stride)


def option_b(inputs, outputs, stride):
    if inputs == outputs and stride == 1:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class Net(nn.Module):
    def __init__(self, block, blocks, widths, shortcut, imagenet, classes=10):
        super().__init__()
        c = widths[0]
        self.imagenet, self.preact = imagenet, block is PreAct
        self.conv1 = nn.Conv2d(3, c, 7, 2, 3, bias=False) if imagenet else nn.Conv2d(3, c, 3, 1, 1, bias=False)
        self.stages = len(widths)
        for stage, (width, count) in enumerate(zip(widths, blocks)):
            layers = []
            for k in range(count):
                layers.append(block(c, width, 2 if stage and not k else 1, shortcut))
                c = 4 * width if block is Bottleneck else width
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.bn1 = nn.BatchNorm2d(c if self.preact else widths[0])
        self.fc = nn.Linear(c, classes)

    def forward(self, x):
        h = self.conv1(x)
        h = h if self.preact else F.relu(self.bn1(h))
        h = F.max_pool2d(h, 3, 2, 1) if self.imagenet else h
        for stage in range(self.stages):
            h = getattr(self, f"layer{stage + 1}")(h)
        h = F.relu(self.bn1(h)) if self.preact else h
        return self.fc(h.mean((2, 3)))


NETWORKS = {
    "resnet20": lambda: Net(Basic, (3, 3, 3), (16, 32, 64), option_a, False),
    "preact20": lambda: Net(PreAct, (3, 3, 3), (16, 32, 64), option_a, False),
    "resnet18": lambda: Net(Basic, (2, 2, 2, 2), (64, 128, 256, 512), option_b, True),
    "article": lambda: Net(ReluFirst, (2, 2, 2), (64, 128, 256), option_b, True),
}
