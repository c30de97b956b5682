# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 11 What does it see?
#
# The network is right, or wrong. But what did it look at? You have every number in your hands, forward and backward, so
# you can ask. And because pictures persuade easily, each answer gets a second look: is it so, or does it only look so?
#
# At the end you will be able to
#
# * show what the first layer has learned, and follow an image up through the feature maps;
# * find out which images a channel waits for, and which images the network takes to be alike;
# * make a saliency map and a Grad-CAM from one backward pass, and say what each of them means;
# * test such a map, by covering parts of the image, and by asking a network that has learned nothing.
#
# **Needs:** 05 (pooling, linear, loss), 06, 08.
# **Time:** 40 minutes to read and try; about two minutes to run.

# %%
import inspect
import os
from contextlib import closing
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

from resnet_scratch.exercises import task
from resnet_scratch.data import load, normalise, training_batches
from resnet_scratch.exercises import ch11_what_does_it_see as tasks
from resnet_scratch.experiment.evaluation import evaluate
from resnet_scratch.experiment.recipe import find
from resnet_scratch.experiment.weights import load_model
from resnet_scratch.insight.features import activations
from resnet_scratch.insight.pictures import draw_feature_maps, draw_filters, draw_heat
from resnet_scratch.insight.saliency import grad_cam, saliency
from resnet_scratch.models import build
from resnet_scratch.train import train

FAST = "RESNET_SCRATCH_FAST" in os.environ  # shorter runs, for automatic tests
RUN = os.environ.get("RESNET_SCRATCH_RUN")  # the folder of a finished run; without one, a small network is trained here

# %% [markdown]
# ## A network that has learned something
#
# If you have the run of tutorial 10, set `RUN` to its folder. Otherwise we train a ResNet-8 on the built-in shapes,
# with the recipe `shapes`, cut short.

# %%
if RUN:
    model, about = load_model(RUN)
    dataset = load(about.dataset)
    mean, std = about.normalisation()
else:
    dataset = load()
    mean, std = dataset.mean, dataset.std
    recipe = replace(find("shapes"), epochs=None, steps=90 if FAST else 600)
    model = build(recipe.model, rng=np.random.default_rng(0))
    optimizer = recipe.make_optimizer(model.parameters())
    with closing(training_batches(dataset, recipe.batch_size, seed=0)) as batches:
        for _ in train(model, optimizer, batches, recipe.learning_rates(recipe.steps), recipe.steps):
            pass

TEST = 500 if FAST else 2000
test_images, test_labels = dataset.test_images[:TEST], dataset.test_labels[:TEST]
x = normalise(test_images, mean, std)
result = evaluate(model, test_images, test_labels, mean, std)
print(f"{model.config.name} on {dataset.name}: {result.accuracy:.1%} of {TEST} test images right")
if FAST:
    print("(the fast mode trains too briefly for good pictures; it shows that every cell runs)")

# %% [markdown]
# Eight test images will be with us all the way: some on which it is right and sure, one of a class, and two mistakes.

# %%
confidence = result.probabilities.max(1)
right = result.predictions == test_labels
surest = [np.flatnonzero(right & (test_labels == k)) for k in range(len(dataset.classes))]
surest = [found[confidence[found].argmax()] for found in surest if len(found)]
mistakes = np.flatnonzero(~right)
mistakes = mistakes[np.argsort(-confidence[mistakes], kind="stable")]
chosen = np.array([*surest[:6], *mistakes[: 8 - len(surest[:6])]])


def name(k):
    return dataset.classes[k]


def draw_row(axes, draw, label=""):
    """The chosen images in a row; `draw(ax, position, image)` fills each."""
    axes[0].text(-0.08, 0.5, label, transform=axes[0].transAxes, rotation=90, ha="right", va="center", fontsize=9)
    for position, (ax, k) in enumerate(zip(axes, chosen)):
        draw(ax, position, test_images[k])
        ax.set_axis_off()


fig, axes = plt.subplots(1, 8, figsize=(10, 1.8), layout="constrained")
draw_row(axes, lambda ax, position, image: ax.imshow(image))
for ax, k in zip(axes, chosen):
    verdict = name(test_labels[k]) if right[k] else f"{name(test_labels[k])},\ntaken for {name(result.predictions[k])}"
    ax.set_title(verdict, fontsize=8, color="#222222" if right[k] else "#bb2222")
plt.show()

# %% [markdown]
# ## The first layer
#
# Only the first layer's weights can be looked at as pictures, because only its input is one: a filter (3, 3, 3) is
# three by three pixels of red, green and blue. Grey is zero; what is lighter than grey in a colour is counted
# positively.

# %%
weight = model.conv1.weight.value  # (KH, KW, 3, O)
untrained = build(model.config, len(dataset.classes), rng=np.random.default_rng(0))
fig, axes = plt.subplots(1, 2, figsize=(6.5, 3.2), layout="constrained")
for ax, filters, title in zip(axes, (untrained.conv1.weight.value, weight), ("as initialised", "trained")):
    draw_filters(ax, filters)
    ax.set_title(title, fontsize=10)
plt.show()

# %% [markdown]
# At first sight both look like noise: three by three pixels are few. (The well-known pictures of edges and blobs of
# colour come from larger filters, 11x11 in Krizhevsky, Sutskever and Hinton 2012, figure 3.) So measure instead of
# squinting. A filter whose weights add up to nothing over the nine places, in each colour, ignores even surfaces: an
# *edge* detector. One whose nine places are alike ignores edges: a *colour* detector. How much of each filter is which?

# %%
flat_part = weight.mean((0, 1), keepdims=True)  # the same at all nine places
edge_share = ((weight - flat_part) ** 2).sum((0, 1, 2)) / (weight**2).sum((0, 1, 2))
edge_share_before = 1 - (
    9 * (untrained.conv1.weight.value.mean((0, 1)) ** 2).sum(0) / (untrained.conv1.weight.value**2).sum((0, 1, 2))
)
print("share of the weights that answers to edges, filter by filter, sorted")
print("    as initialised:", np.round(np.sort(edge_share_before), 2))
print("    trained:       ", np.round(np.sort(edge_share), 2))
print(f"random numbers would have 8/9 = {8 / 9:.2f} on average: of 9 numbers, one is the mean")

# %% [markdown]
# What a filter does is easier to see in what it makes of an image. Here are the most edge-like and the most
# colour-like filter of the trained network at work (red: positive, blue: negative, before batch norm):

# %%
fig, axes = plt.subplots(3, 8, figsize=(10, 4), layout="constrained")
draw_row(axes[0], lambda ax, position, image: ax.imshow(image), "image")
responses = model.conv1(x[chosen])  # (8, 32, 32, O)
for row, o, label in zip(axes[1:], (edge_share.argmax(), edge_share.argmin()), ("edge-like", "colour-like")):
    limit = np.abs(responses[..., o]).max()
    draw_row(row, lambda ax, position, image: ax.imshow(responses[position, :, :, o], cmap="RdBu_r", vmin=-limit,
                                                        vmax=limit), label)  # fmt: skip
plt.show()

# %% [markdown]
# ## Up through the layers
#
# `activations` runs the network once and keeps what every layer puts out. Here is one image behind the stem and behind
# each stage, one little picture for each channel. **Predict:** the stages halve height and width and double the
# channels. What will be left of the outline at the top?

# %%
seen = activations(model, x[chosen[:1]])
stages = ["relu", *(f"layer{stage}.{blocks - 1}.relu2" for stage, blocks in enumerate(model.config.blocks, start=1))]
fig, axes = plt.subplots(1, 1 + len(stages), figsize=(11, 2.7), layout="constrained")
axes[0].imshow(test_images[chosen[0]])
axes[0].set_axis_off()
axes[0].set_title(f"{name(test_labels[chosen[0]])}", fontsize=9)
for ax, layer in zip(axes[1:], stages):
    draw_feature_maps(ax, seen[layer][0])
    ax.set_title(f"{layer}\n{' x '.join(map(str, seen[layer].shape[1:]))}", fontsize=9)
plt.show()
for layer in stages:
    values = seen[layer]
    silent = (values.max((0, 1, 2)) == 0).mean()
    print(f"{layer:16} {values.shape[1:]!s:14} zero: {(values == 0).mean():.0%}; "
          f"channels silent on this image: {silent:.0%}")  # fmt: skip

# %% [markdown]
# Low down one can still see the image. High up each channel is a coarse map of where something is, and many are silent:
# what they wait for is not there.
#
# What *do* they wait for? Ask the images: of all test images, the ones on which a channel of the last stage is
# strongest (Zeiler and Fergus 2014, figure 2).

# %%
features = np.concatenate([activations(model, x[k : k + 250])["avgpool"] for k in range(0, TEST, 250)])  # (TEST, C)
channels = np.argsort(-features.std(0), kind="stable")[:4]
fig, axes = plt.subplots(4, 8, figsize=(8.5, 4.6), layout="constrained")
for row, channel in zip(axes, channels):
    strongest = np.argsort(-features[:, channel], kind="stable")[:8]
    for ax, k in zip(row, strongest):
        ax.imshow(test_images[k])
        ax.set_axis_off()
    row[0].text(-6, 16, f"channel\n{channel}", ha="right", va="center", fontsize=9)
    shown = np.bincount(test_labels[strongest], minlength=len(dataset.classes))
    print(f"channel {channel:2}: {shown.max()} of its 8 images are of the class {name(shown.argmax())}")
plt.show()

# %% [markdown]
# ## What is alike, to the network?
#
# The numbers behind the average pooling, 64 for each image, are all that the classifier sees. Two images that are near
# one another there are alike *to the network*. Compare with what is near in plain pixels.

# %%
queries = chosen[:3]
fig, axes = plt.subplots(6, 7, figsize=(7.2, 6.4), layout="constrained")
agree = {}
for what, table, first_row in (("pixels", x.reshape(TEST, -1), 0), ("features", features, 3)):
    everything = ((table - table[:, None][queries]) ** 2).sum(-1)  # (3, TEST) squared distances
    for row, distances in enumerate(everything):
        nearest = np.argsort(distances, kind="stable")[:7]  # the first is the image itself
        for ax, k in zip(axes[first_row + row], nearest):
            ax.imshow(test_images[k])
            ax.set_axis_off()
        axes[first_row + row, 0].text(-4, 16, what, ha="right", va="center", fontsize=9, rotation=90)
    squares = (table**2).sum(1)
    distances = squares[:, None] + squares - 2 * table @ table.T  # (TEST, TEST): |a|^2 + |b|^2 - 2 a.b
    np.fill_diagonal(distances, np.inf)  # an image is not its own neighbour
    agree[what] = (test_labels[distances.argmin(1)] == test_labels).mean()
axes[0, 0].set_title("image", fontsize=9)
axes[0, 3].set_title("its nearest neighbours", fontsize=9)
plt.show()
for what, share in agree.items():
    print(f"the nearest other image in {what} is of the same class: {share:.0%}")
assert agree["features"] > agree["pixels"], "the features should know more of the class than the pixels"

# %% [markdown]
# ## Saliency: which pixels matter?
#
# Near an image $I_0$ a logit is nearly a linear function of the pixels (Simonyan et al. 2013, equations 3 and 4):
#
# $$ S_c(I) \approx S_c(I_0) + \sum_{\text{pixels}} w \cdot (I - I_0), \qquad
#    w = \frac{\partial S_c}{\partial I} \bigg|_{I_0} $$
#
# So $|w|$ says how much the logit of class $c$ moves when a pixel moves a little. It is what `backward` returns, when
# it is started with a one at the class, in place of the loss's gradient. Nothing new is needed:

# %%
print(inspect.getsource(saliency))

# %% [markdown]
# First the check. Is it really what happens when one pixel changes? Take the pixel that matters most in one image,
# change its channels one after the other, and look at the logit. (In evaluation mode, or batch norm would mix the
# images.)

# %%
image = x[chosen[:1]]
label = int(result.predictions[chosen[0]])
heat = saliency(model, image)[0]
row, column = np.unravel_index(heat.argmax(), heat.shape)
slopes = []
for channel in range(3):
    above, below = image.copy(), image.copy()
    above[0, row, column, channel] += 0.002
    below[0, row, column, channel] -= 0.002
    slopes.append(float(model(above)[0, label] - model(below)[0, label]) / 0.004)
print(f"pixel ({row}, {column}): saliency {heat[row, column]:.4f}; slopes of the logit for red, green, blue: "
      + ", ".join(f"{slope:.4f}" for slope in slopes))  # fmt: skip
assert abs(heat[row, column] - max(map(abs, slopes))) < 0.1 * heat[row, column], "saliency is the steepest slope's size"

# %%
maps = saliency(model, x[chosen])
fig, axes = plt.subplots(2, 8, figsize=(10, 2.8), layout="constrained")
draw_row(axes[0], lambda ax, position, image: ax.imshow(image))
draw_row(axes[1], lambda ax, position, image: ax.imshow(maps[position], cmap="gray_r"))
plt.show()

# %% [markdown]
# Saliency maps are grainy: a slope at one point, in 3072 directions, of a function with many kinks. They say where a
# *small change* would matter, and that need not be where the thing itself is.
#
# ## Grad-CAM: where is the class?
#
# Grad-CAM (Selvaraju et al. 2017) asks at a coarser place, the output $A$ of the last stage (8x8 pixels, 64 channels).
# How much does channel $k$ count for class $c$? Take the mean of its gradient over the pixels (equation 1), weigh the
# channels with it, and keep what speaks for the class (equation 2):
#
# $$ \alpha_k^c = \frac{1}{HW} \sum_{i,j} \frac{\partial S_c}{\partial A_{ij}^k}, \qquad
#    L^c = \text{ReLU} \Big( \sum_k \alpha_k^c A^k \Big) $$
#
# In our networks, behind $A$ there is only the average and one linear layer, $S_c = \sum_k w_k^c \frac{1}{HW}
# \sum_{i,j} A_{ij}^k + b$. The gradient is $w_k^c / HW$ at every pixel, so $\alpha_k^c$ **is** the weight of the linear
# layer, but for a factor: Grad-CAM is here the older class activation map (Zhou et al. 2016), with no backward pass at
# all. Check it:

# %%
heats = grad_cam(model, x[chosen], layer="layer3")
top = activations(model, x[chosen])[stages[-1]]  # (8, 8, 8, 64)
for position, k in enumerate(chosen):
    by_hand = tasks.class_activation_map(top[position], model.fc.weight.value[:, result.predictions[k]])
    if position == 0:
        fig, (left, right_axes) = plt.subplots(1, 2, figsize=(5, 2.5), layout="constrained")
        left.imshow(by_hand, cmap="inferno")
        left.set_title("the classifier's weights, 8x8", fontsize=9)
        right_axes.imshow(heats[position], cmap="inferno")
        right_axes.set_title("Grad-CAM, at the image's size", fontsize=9)
        for ax in (left, right_axes):
            ax.set_axis_off()
        plt.show()
    size = x.shape[1] // by_hand.shape[0]
    coarse = heats[position].reshape(by_hand.shape[0], size, by_hand.shape[1], size).mean((1, 3))
    similar = np.corrcoef(coarse.ravel(), by_hand.ravel())[0, 1]
    assert similar > 0.9, "Grad-CAM before average pooling and one linear layer is the class activation map"
print(f"correlation of the two for the last image: {similar:.3f} (not 1: one was blown up and shrunk again)")

# %%
fig, axes = plt.subplots(2, 8, figsize=(10, 3.2), layout="constrained")
draw_row(axes[0], lambda ax, position, image: draw_heat(ax, image, heats[position]))
for ax, k in zip(axes[0], chosen):
    ax.set_title(f"for {name(result.predictions[k])}", fontsize=8)
truth = grad_cam(model, x[chosen], layer="layer3", classes=test_labels[chosen])
draw_row(axes[1], lambda ax, position, image: draw_heat(ax, image, truth[position]))
for ax, k in zip(axes[1], chosen):
    ax.set_title(f"for {name(test_labels[k])}", fontsize=8, color="#222222" if right[k] else "#bb2222")
plt.show()

# %% [markdown]
# Above: what speaks for the answer that the network gave. Below: for the true class. Where it was wrong (red), compare
# the two: did it look at the wrong place, or at the right place and saw something else there?
#
# ## Is it so, or does it only look so?
#
# **First test: cover it.** If a place matters, covering it must cost something. Cover 4x4 pixels at a time with the
# mean colour, and see by how much the logit of the answer falls (Zeiler and Fergus 2014; you write this in exercise
# 11.4). It needs no gradient, so it can disagree with the maps. (Why the logit? Where the network is sure, the
# probability is so near to 1 that one patch hardly moves it.)

# %%
fig, axes = plt.subplots(3, 8, figsize=(10, 4), layout="constrained")
against = {"Grad-CAM": [], "saliency": []}
costs = []
for k in chosen:
    answer_class = result.predictions[k]
    costs.append(tasks.occlusion_map(lambda images: model(images)[:, answer_class], x[k], 4, 0.0))
for position, cost in enumerate(costs):
    for what, values in (("Grad-CAM", heats[position]), ("saliency", maps[position])):
        coarse = values.reshape(8, 4, 8, 4).mean((1, 3))
        if cost.std() > 0 and coarse.std() > 0:
            against[what].append(np.corrcoef(coarse.ravel(), cost.ravel())[0, 1])
limits = [np.abs(cost).max() for cost in costs]  # each image has its own scale
draw_row(axes[0], lambda ax, position, image: ax.imshow(image), "image")
draw_row(axes[1], lambda ax, position, image: ax.imshow(costs[position], cmap="RdBu_r", vmin=-limits[position],
                                                        vmax=limits[position]), "covering")  # fmt: skip
draw_row(axes[2], lambda ax, position, image: ax.imshow(heats[position], cmap="inferno"), "Grad-CAM")
plt.show()
for what, values in against.items():
    print(f"correlation of {what} with the cost of covering, mean of {len(values)} images: {np.mean(values):.2f}")

# %% [markdown]
# (Red: covering it lowers the logit; blue: raises it.) Do not expect too much agreement. The three ask different
# questions: what would a small change do, where is what speaks for the class, what happens without this patch. And a
# patch of the mean colour is not "nothing": it has edges of its own, and shows the network an image of a kind that it
# has never seen.
#
# **Second test: ask a network that knows nothing.** A map that looks the same for an untrained network shows the image,
# not what was learned (Adebayo et al. 2018, "Sanity Checks for Saliency Maps").

# %%
for _, layer in untrained.named_layers():  # running statistics, or the signals of the untrained network have odd sizes
    if hasattr(layer, "running_mean"):
        layer.momentum = 1.0
untrained.forward(x[:256], training=True)
random_maps = {
    "saliency": saliency(untrained, x[chosen], result.predictions[chosen]),
    "Grad-CAM": grad_cam(untrained, x[chosen], layer="layer3", classes=result.predictions[chosen]),
}
fig, axes = plt.subplots(2, 8, figsize=(10, 2.8), layout="constrained")
draw_row(axes[0], lambda ax, position, image: ax.imshow(random_maps["saliency"][position], cmap="gray_r"), "saliency")
draw_row(axes[1], lambda ax, position, image: ax.imshow(random_maps["Grad-CAM"][position], cmap="inferno"), "Grad-CAM")
fig.suptitle("the same maps of an UNTRAINED network", fontsize=10)
plt.show()
for what, trained_maps in (("saliency", maps), ("Grad-CAM", heats)):
    pairs = [(a.ravel(), b.ravel()) for a, b in zip(trained_maps, random_maps[what]) if a.std() > 0 and b.std() > 0]
    print(f"{what}: correlation of trained and untrained, mean of {len(pairs)} images: "
          f"{np.mean([np.corrcoef(a, b)[0, 1] for a, b in pairs]):.2f}")  # fmt: skip

# %% [markdown]
# A correlation near 1 would be a warning: then the picture is made by the architecture and the image, and learning has
# no part in it. Keep this test in mind with every such picture that you meet, also with published ones.
#
# ## Exercises

# %% tags=["task"]
task("11.1")

# %% tags=["task"]
task("11.2")

# %% tags=["task"]
task("11.3")

# %% tags=["task"]
task("11.4")

# %% [markdown]
# ## What PyTorch calls this
#
# | here | PyTorch |
# |---|---|
# | `model.conv1.weight.value` (KH, KW, 3, O) | `model.conv1.weight` (O, 3, KH, KW) |
# | `activations(model, x)` | `torchvision.models.feature_extraction.create_feature_extractor`, or forward hooks |
# | `saliency(model, x)` | `logits[0, c].backward()`, `x.grad.abs().amax(1)`; `captum.attr.Saliency` |
# | `grad_cam(model, x, layer)` | `captum.attr.LayerGradCam`, or the package `grad-cam` |
# | `occlusion_map` | `captum.attr.Occlusion` |
#
# ## Sources
#
# * Simonyan, Vedaldi and Zisserman 2013, "Deep Inside Convolutional Networks", section 3: saliency.
# * Krizhevsky, Sutskever and Hinton 2012, "ImageNet Classification with Deep Convolutional Neural Networks", figure 3.
# * Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks": strongest images (figure 2),
#   covering (section 4.2).
# * Zhou, Khosla, Lapedriza, Oliva and Torralba 2016, "Learning Deep Features for Discriminative Localization": class
#   activation maps.
# * Selvaraju et al. 2017, "Grad-CAM", equations 1 and 2.
# * Adebayo et al. 2018, "Sanity Checks for Saliency Maps", NeurIPS.
#
# In the next tutorial, 12, the same code runs on a graphics card: one line changes.
