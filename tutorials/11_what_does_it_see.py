# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 11 What does it see?
#
# A network gives an answer. What did it look at? You have every number of the forward and the backward pass, so you can
# ask. But images are persuasive. So this chapter gives each answer a second look: is it so, or does it only look so?
#
# By the end you will be able to
#
# * show what the first layer has learned, and follow an image up through the feature maps;
# * find the images that excite a channel, and the images that look alike to the network;
# * make a saliency map and a Grad-CAM from one backward pass, and say what each of them means;
# * test such a map, by covering parts of the image and by destroying what the network has learned;
# * change an image by a step too small to see, so that the network's answer changes;
# * draw the image that a class likes best, and say what it shows.
#
# **Needs:** 05 (pooling, linear, loss), 06 (the residual connection) and 08 (training).
# **Time:** 60 minutes to read and try, and 75 more for the five tasks. The cells run for two to five minutes; most of
# that is the training at the beginning.

# %%
import inspect
import os
from contextlib import closing
from copy import deepcopy
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

from resnet_scratch.data import load, normalise, training_batches
from resnet_scratch.exercises import task
from resnet_scratch.experiment.evaluation import evaluate
from resnet_scratch.experiment.recipe import find
from resnet_scratch.experiment.weights import load_model, recorded_data_dir
from resnet_scratch.figures.functions import plot_functions
from resnet_scratch.figures.seeing import show_heats, show_maps, show_row
from resnet_scratch.insight.features import activations
from resnet_scratch.insight.inputs import class_images, fgsm
from resnet_scratch.insight.drawings import draw_feature_maps, draw_filters
from resnet_scratch.insight.saliency import grad_cam, occlusion_map, saliency
from resnet_scratch.layers import BatchNorm2d
from resnet_scratch.losses import softmax
from resnet_scratch.models import build
from resnet_scratch.train import train

FAST = "RESNET_SCRATCH_FAST" in os.environ  # shorter runs, for automatic tests
RUN = os.environ.get("RESNET_SCRATCH_RUN")  # the folder of a finished run; without one, a small network is trained here

# %% [markdown]
# ## A network that has learned something
#
# If you have the run of chapter 10, set `RUN` to its folder. Otherwise this cell trains a ResNet-8 on the built-in
# shapes, with a shortened recipe.

# %%
if RUN:
    model, about = load_model(RUN)
    dataset = load(about.dataset, data_dir=recorded_data_dir(RUN), image_size=about.image_size[0])
    mean, std = about.normalisation()
else:
    dataset = load()
    mean, std = dataset.mean, dataset.std
    recipe = replace(find("shapes"), epochs=None, steps=45 if FAST else 600)
    model = build(recipe.model, rng=np.random.default_rng(0))
    optimizer = recipe.make_optimizer(model.parameters())
    with closing(training_batches(dataset, recipe.batch_size, seed=0)) as batches:
        for _ in train(model, optimizer, batches, recipe.learning_rates(recipe.steps), recipe.steps):
            pass

TEST = 500 if FAST else 2000
test_images, test_labels = dataset.test_images[:TEST], dataset.test_labels[:TEST]
x = normalise(test_images, mean, std)
result = evaluate(model, test_images, test_labels, mean, std)
predicted = result.predictions
print(f"{model.config.name} on {dataset.name}: {result.accuracy:.1%} of {TEST} test images right")
if FAST:
    print("(the fast mode trains too briefly for good maps; it only shows that every cell runs)")

# %% [markdown]
# Eight test images are used throughout: for up to six classes, the image that the network classifies correctly with
# the greatest confidence, and two mistakes (orange).

# %%
confidence, right = result.probabilities.max(1), predicted == test_labels
surest = [
    max(np.flatnonzero(right & (predicted == k)), key=confidence.__getitem__) for k in np.unique(predicted[right])
]
mistakes = sorted(np.flatnonzero(~right), key=lambda k: -confidence[k])
chosen = np.array([*surest[:6], *mistakes[: 8 - len(surest[:6])]])
wrong = np.flatnonzero(~right[chosen])  # positions among the chosen
names = np.array(dataset.classes)
titles = [
    names[t] if t == p else f"{names[t]},\ntaken for {names[p]}" for t, p in zip(test_labels[chosen], predicted[chosen])
]
fig, axes = plt.subplots(1, 8, figsize=(10, 1.8), layout="constrained")
show_row(axes, test_images[chosen], titles, marked=wrong)
plt.show()

# %% [markdown]
# ## The first layer
#
# Only the filters of the first layer can be shown as images, because only their input is an image. Each filter is three
# by three pixels of red, green and blue. Grey is 0. In each colour, lighter than grey is a positive weight, and darker
# than grey is a negative one.

# %%
untrained = build(model.config, len(dataset.classes), rng=np.random.default_rng(0))
before, weight = untrained.conv1.weight.value, model.conv1.weight.value  # (KH, KW, 3, O)
fig, axes = plt.subplots(1, 2, figsize=(6.5, 3.2), layout="constrained")
for ax, filters, title in zip(axes, (before, weight), ("as initialised", "trained")):
    draw_filters(ax, filters)
    ax.set_title(title, fontsize=10)
plt.show()

# %% [markdown]
# Both look like noise, because three by three pixels are few. (The well-known images of edges and blobs of colour come
# from filters of 11x11: Krizhevsky, Sutskever and Hinton 2012, figure 3.) So measure instead. Split each filter into its
# mean over the nine positions, for each colour, and the rest. The mean responds to *colour*, and the rest responds to
# *edges*: on a uniform area it gives 0.
#
# **Predict, then run:** for random weights, what share of the sum of squares belongs to the rest?


# %%
def edge_share(weight):
    """The share of each filter's sum of squares that is left without its mean over the positions: (O,)."""
    edges = weight - weight.mean((0, 1), keepdims=True)
    return (edges**2).sum((0, 1, 2)) / (weight**2).sum((0, 1, 2))


print("as initialised:", np.round(np.sort(edge_share(before)), 2))
print("trained:       ", np.round(np.sort(edge_share(weight)), 2))
drawn = edge_share(np.random.default_rng(0).standard_normal((3, 3, 3, 1000))).mean()
print(f"1000 random filters on average: {drawn:.3f}, and 8/9 = {8 / 9:.3f}")
assert abs(drawn - 8 / 9) < 0.01, "of nine random numbers, the mean takes one part in nine"

# %% [markdown]
# Even before training, individual filters lie on both sides of 8/9, because each has only 27 numbers. So compare the
# lower ends of the two rows: training has made some filters more colour-like. (The upper end was at 0.99 already, and
# no share exceeds 1.) What a filter does is easier to see in its output. Here are the most edge-like and the most
# colour-like filter at work, before batch norm (red is positive, blue is negative):

# %%
shares = edge_share(weight)
responses = model.conv1(x[chosen])  # (8, 32, 32, O)
fig, axes = plt.subplots(3, 8, figsize=(10, 4), layout="constrained")
show_row(axes[0], test_images[chosen], label="image")
show_maps(axes[1], responses[..., shares.argmax()], "edge-like", signed=True)
show_maps(axes[2], responses[..., shares.argmin()], "colour-like", signed=True)
plt.show()

# %% [markdown]
# ## Up through the layers
#
# `activations` runs the network once and keeps the output of every layer. Here is one image after the stem and after
# each stage, with a small map for each channel. **Predict:** from stage to stage, height and width are halved. What will
# be left of the outline at the top?

# %%
seen = activations(model, x[chosen[:1]])
stages = ["relu", *(f"layer{stage}.{blocks - 1}.relu2" for stage, blocks in enumerate(model.config.blocks, start=1))]
fig, axes = plt.subplots(1, 1 + len(stages), figsize=(11, 2.7), layout="constrained")
show_row(axes[:1], test_images[chosen[:1]], titles[:1])
for ax, layer in zip(axes[1:], stages):
    draw_feature_maps(ax, seen[layer][0])
    ax.set_title(f"{layer}\n{' x '.join(map(str, seen[layer].shape[1:]))}", fontsize=9)
plt.show()
for layer in stages:
    values = seen[layer]
    silent = (values.max((0, 1, 2)) == 0).mean()
    print(f"{layer:16} {values.shape[1:]!s:14} zeros: {(values == 0).mean():4.0%}; "
          f"channels silent on this image: {silent:.0%}")  # fmt: skip

# %% [markdown]
# Near the input you still see the image. Near the output each channel is a coarse map of where something is.
#
# What does a channel respond to? Ask the images: here are the test images on which four channels of the last stage are
# strongest (as in Zeiler and Fergus 2014, figure 2).

# %%
features = np.concatenate([activations(model, x[k : k + 250])["avgpool"] for k in range(0, TEST, 250)])  # (TEST, C)
fig, axes = plt.subplots(4, 8, figsize=(8.5, 4.6), layout="constrained")
for row, channel in zip(axes, np.argsort(-features.std(0), kind="stable")):
    strongest = np.argsort(-features[:, channel], kind="stable")[:8]
    show_row(row, test_images[strongest], label=f"channel {channel}")
    found, number = np.unique(test_labels[strongest], return_counts=True)
    print(f"channel {channel:2}: {number.max()} of its 8 images are of the class {names[found[number.argmax()]]}")
plt.show()

# %% [markdown]
# ## What looks alike to the network?
#
# The outputs of the average pooling are all that the classifier sees. Two images that are close to one another there
# look alike *to the network*. **Predict, then run:** how often does the nearest other image belong to the same class,
# if distance is measured in pixels, and if it is measured in these features?


# %%
def squared_distances(table):
    """(N, N) for rows (N, D): |a|^2 + |b|^2 - 2 a.b, and infinity from each row to itself."""
    squares = (table**2).sum(1)
    distances = squares[:, None] + squares - 2 * table @ table.T
    np.fill_diagonal(distances, np.inf)
    return distances


agree = {}
fig, axes = plt.subplots(4, 7, figsize=(7.2, 4.6), layout="constrained")
for what, table, rows in (("pixels", x.reshape(TEST, -1), axes[:2]), ("features", features, axes[2:])):
    distances = squared_distances(table)
    for row, k in zip(rows, chosen):
        nearest = [k, *np.argsort(distances[k], kind="stable")[:6]]
        show_row(row, test_images[nearest], ["image", *names[test_labels[nearest[1:]]]], label=what)
    agree[what] = (test_labels[distances.argmin(1)] == test_labels).mean()
plt.show()
for what, share in agree.items():
    print(f"the nearest other image in {what} is of the same class: {share:.0%}")
assert agree["features"] > agree["pixels"], "the features should know more of the class than the pixels"

# %% [markdown]
# ## Saliency: which pixels matter?
#
# Near an image $I_0$, the logit $S_c$ of class $c$ is almost a linear function of the pixels (Simonyan, Vedaldi and
# Zisserman 2014, equations 3 and 4):
#
# $$ S_c(I) \approx S_c(I_0) + \sum_{\text{pixels}} w \cdot (I - I_0), \qquad
#    w = \frac{\partial S_c}{\partial I} \bigg|_{I_0} $$
#
# So $|w|$ says how much the logit changes when a pixel changes a little. A backward pass gives $w$. It starts at the
# logits, and goes on through all layers to the image.

# %% tags=["task"]
task("11.1")

# %% [markdown]
# This is the library's version, for a batch:

# %%
print(inspect.getsource(saliency))

# %% [markdown]
# Is it really what happens when one pixel changes? **Check yourself:** take the pixel that matters most, change its
# channels one after the other, and look at the logit.

# %%
image, label = x[chosen[:1]], int(predicted[chosen[0]])
heat = saliency(model, image)[0]
row, column = np.unravel_index(heat.argmax(), heat.shape)
slopes = []
for channel in range(3):
    change = np.zeros_like(image)
    change[0, row, column, channel] = 0.002
    slopes.append(float(model(image + change)[0, label] - model(image - change)[0, label]) / 0.004)
print(f"pixel ({row}, {column}): saliency {heat[row, column]:.4f}; slopes of the logit for red, green, blue: "
      + ", ".join(f"{slope:.4f}" for slope in slopes))  # fmt: skip
assert abs(heat[row, column] - max(map(abs, slopes))) < 0.1 * heat[row, column], "saliency is the size of the steepest"

# %%
maps = saliency(model, x[chosen])
fig, axes = plt.subplots(2, 8, figsize=(10, 2.9), layout="constrained")
show_row(axes[0], test_images[chosen], label="image")
show_maps(axes[1], maps, "saliency")
plt.show()

# %% [markdown]
# Saliency maps are grainy. They are slopes at one point of a function with many kinks. They say where a *small change*
# would matter, and that need not be where the object is.
#
# ## Grad-CAM: where is the evidence?
#
# Most of our networks end alike: the last stage gives $A$ (8x8 pixels here, and $K$ channels), then come the average
# over the pixels and one linear layer with weights $w_k^c$:
#
# $$ S_c = \sum_k w_k^c \; \frac{1}{HW} \sum_{i,j} A_{ij}^k + b_c
#        = \frac{1}{HW} \sum_{i,j} \Big( \sum_k w_k^c A_{ij}^k \Big) + b_c $$
#
# The two sums can be exchanged. So the logit is a mean over *positions*, and the bracket says what each position
# contributes. This is the **class activation map** (Zhou et al. 2016).

# %% tags=["task"]
task("11.2")

# %% [markdown]
# **Grad-CAM** (Selvaraju et al. 2017) does the same for networks with any ending. In place of the weights of the linear
# layer it takes the mean of the gradient over the pixels (equation 1), and keeps what counts in favour of the class
# (equation 2).
#
# $$ \alpha_k^c = \frac{1}{HW} \sum_{i,j} \frac{\partial S_c}{\partial A_{ij}^k}, \qquad
#    L^c = \text{ReLU} \Big( \sum_k \alpha_k^c A^k \Big) $$
#
# **Check yourself:** differentiate the formula for $S_c$ above. What is $\alpha_k^c$ in our networks? The cell compares
# the two maps.

# %%
heats = grad_cam(model, x[chosen], layer="layer3")
top = activations(model, x[chosen])[stages[-1]]  # (8, 8, 8, K)
contributions = np.maximum([A @ model.fc.weight.value[:, c] for A, c in zip(top, predicted[chosen])], 0)
size = x.shape[1] // top.shape[1]
alike = []
for heat, contribution in zip(heats, contributions):
    coarse = heat.reshape(top.shape[1], size, top.shape[2], size).mean((1, 3))  # back to the size of A
    alike.append(np.corrcoef(coarse.ravel(), contribution.ravel())[0, 1])
print("correlation of Grad-CAM with the class activation map:", np.round(alike, 3))
assert min(alike) > 0.9, "the gradient is w / HW at every pixel, so alpha is w, but for a factor"

# %% [markdown]
# They are the same map: $\partial S_c / \partial A_{ij}^k = w_k^c / HW$ at every pixel. (The correlation is not exactly 1
# because Grad-CAM is enlarged to the size of the image, and the cell shrinks it again.)

# %%
print(inspect.getsource(grad_cam))

# %% [markdown]
# The function cuts the network in two after `layer`. What comes before runs forward only, and keeps no caches. What
# comes after runs forward and backward, one layer at a time, so the backward pass stops at $A$. Equation 1 is the line
# with `weights`, and equation 2 the line after it.

# %%
fig, axes = plt.subplots(2, 8, figsize=(10, 3.2), layout="constrained")
show_heats(axes[0], test_images[chosen], heats, names[predicted[chosen]], "for its answer", wrong)
true_heats = grad_cam(model, x[chosen], layer="layer3", classes=test_labels[chosen])
show_heats(axes[1], test_images[chosen], true_heats, names[test_labels[chosen]], "for the truth", wrong)
plt.show()

# %% [markdown]
# The upper row shows the evidence for the network's answer, the lower row that for the true class. Compare them
# where it was wrong: did it look in the wrong place, or look in the right place and see something else?
#
# ## Is it so, or does it only look so?
#
# ### First test: cover it
#
# If a region matters, covering it must cost something. This needs no gradient, so it can disagree with the maps. Cover
# 4x4 pixels at a time with the mean colour, and see by how much the logit of the answer falls (Zeiler and Fergus 2014,
# section 4.2). We take the logit, because a probability close to 1 hardly moves.

# %% tags=["task"]
task("11.3")

# %%
costs = [occlusion_map(lambda images, c=predicted[k]: model(images)[:, c], x[k], size=4) for k in chosen]
fig, axes = plt.subplots(4, 8, figsize=(10, 5.4), layout="constrained")
show_row(axes[0], test_images[chosen], label="image")
show_maps(axes[1], costs, "covering", signed=True)
show_maps(axes[2], heats, "Grad-CAM")
show_maps(axes[3], maps, "saliency")
plt.show()


def mean_correlation(some, others):
    """The correlation of two maps, as a mean over the images. Maps that are the same everywhere are left out."""
    pairs = [(a.ravel(), b.ravel()) for a, b in zip(some, others) if np.ptp(a) > 0 and np.ptp(b) > 0]
    return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in pairs]))


for what, found in (("Grad-CAM", heats), ("saliency", maps)):
    coarse = found.reshape(len(found), *costs[0].shape[:1], 4, *costs[0].shape[1:], 4).mean((2, 4))
    print(f"correlation of {what} with the cost of covering: {mean_correlation(coarse, costs):.2f}")

# %% [markdown]
# Red: covering it lowers the logit. Blue: covering it *raises* the logit. Do not expect too much agreement, because the
# three ask different questions. What would a small change do? Which positions contribute to the logit? What happens
# without this patch? And a patch of the mean colour is not "nothing". It has edges of its own, and it makes an image of
# a kind that the network has never seen.
#
# ### Second test: destroy what was learned
#
# A map that stays the same when the weights are replaced by random ones shows the image, and not what was learned.
# Adebayo et al. (2018) tried this with many methods: they randomised the network layer by layer, from the output down,
# and some popular maps hardly changed. Let us do it. (After each step, batch norm gets statistics that fit the new
# weights.) **Predict:** how fast will the two maps lose their likeness to the originals?

# %%
some = slice(0, 16 if FAST else 64)
answer = predicted[some]
original = {"saliency": saliency(model, x[some], answer), "Grad-CAM": grad_cam(model, x[some], classes=answer)}
fresh = dict(build(model.config, len(names), rng=np.random.default_rng(1)).named_parameters())
destroyed = deepcopy(model)
for _, layer in destroyed.named_layers():
    if isinstance(layer, BatchNorm2d):
        layer.momentum = 1.0  # its statistics become those of the next batch in training mode
children = [child for child, layer in model.children() if layer.parameters()]
likeness = {what: [1.0] for what in original}
for child in reversed(children):
    for key, parameter in destroyed.named_parameters():
        if key.startswith(f"{child}."):
            parameter.value = fresh[key].value.copy()
    destroyed.forward(x[:256], training=True)
    likeness["saliency"].append(mean_correlation(original["saliency"], saliency(destroyed, x[some], answer)))
    likeness["Grad-CAM"].append(mean_correlation(original["Grad-CAM"], grad_cam(destroyed, x[some], classes=answer)))
fig, ax = plt.subplots(figsize=(6.5, 2.8), layout="constrained")
plot_functions(
    ax, range(len(children) + 1), likeness, "random from the output down to", "correlation with the original"
)
ax.set_xticks(range(len(children) + 1), ["nothing", *reversed(children)])
plt.show()
for what, values in likeness.items():
    others = mean_correlation(original[what], np.roll(original[what], 1, axis=0))
    print(f"{what}: {values[-1]:.2f} when all weights are random; the maps of two different images: {others:.2f}")
    if not (RUN or FAST):
        assert values[-1] < others + 0.1, "with random weights, a map must be as unlike as that of another image"

# %%
fig, axes = plt.subplots(2, 8, figsize=(10, 2.8), layout="constrained")
show_maps(axes[0], saliency(destroyed, x[chosen], predicted[chosen]), "saliency")
show_maps(axes[1], grad_cam(destroyed, x[chosen], classes=predicted[chosen]), "Grad-CAM")
fig.suptitle("the maps of the network with random weights", fontsize=10)
plt.show()

# %% [markdown]
# Both maps pass the test: what is left is no more like the original than the map of another image is. The paper finds
# the same for these two, and that others fail, guided backpropagation among them. How can a map fail? A convolution
# responds to edges with *any* weights. So a map can follow the edges of the image and look reasonable, although it says
# nothing about the network. That a map looks right to you is not evidence.
#
# ## A step further: change the image
#
# The gradient says which small change of the image matters. So make that change. Training moves the weights to lower the
# loss. Now keep the weights, and move the *image* to raise it. Every number may move by $\varepsilon$ at most. To first
# order, the loss then grows by
#
# $$ \sum_i g_i \, \delta_i, \qquad |\delta_i| \le \varepsilon, $$
#
# where $g_i$ is the gradient of the loss with respect to the $i$-th number of the image. Which $\delta$ makes that
# largest?

# %% tags=["task"]
task("11.4")

# %% [markdown]
# This is the **fast gradient sign method** (Goodfellow, Shlens and Szegedy 2015). The sum becomes $\varepsilon \sum_i
# |g_i|$. Each term is tiny, but there are 3072 of them, and all push in the same direction. **Predict, then run:** what
# is left of the accuracy if every pixel changes by 2 of 255 steps? And what if it changes by just as much, but up or
# down at random?

# %%
few = slice(0, 100 if FAST else 500)
signs = np.sign(np.random.default_rng(0).standard_normal(x[few].shape)).astype(np.float32)
low, high = (0 - mean) / std, (1 - mean) / std  # black and white, normalised
epsilons = (0, 0.5, 1, 2, 4, 8)
curves = {"along the gradient": [], "at random": []}
for steps in epsilons:
    epsilon = (steps / 255 / std).astype(np.float32)  # `steps` of the 255 from black to white, normalised
    for what, moved in (("along the gradient", fgsm(model, x[few], test_labels[few], epsilon)),
                        ("at random", x[few] + epsilon * signs)):  # fmt: skip
        logits = model(np.clip(moved, low, high))
        curves[what].append(100 * float((logits.argmax(1) == test_labels[few]).mean()))
fig, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
plot_functions(ax, epsilons, curves, "every number moves by this many of 255 steps", "accuracy (%)")
plt.show()
for what, values in curves.items():
    print(f"{what:19}", "  ".join(f"{steps:g}: {value:.0f} %" for steps, value in zip(epsilons, values)))
if not FAST:
    assert curves["along the gradient"][3] < curves["at random"][3] - 20, "the direction matters, not the size"

# %% [markdown]
# Can you see it? Here are the first eight test images that the network gets right, the change (enlarged), and the
# changed images. Orange marks those on which it is wrong now.

# %%
eight = np.flatnonzero(right)[:8]
epsilon = (4 / 255 / std).astype(np.float32)
fooled = np.clip(fgsm(model, x[eight], test_labels[eight], epsilon), low, high)
new = softmax(model(fooled))
now_wrong = np.flatnonzero(new.argmax(1) != test_labels[eight])
fig, axes = plt.subplots(3, 8, figsize=(10, 4.9), layout="constrained")
show_row(axes[0], test_images[eight], [f"{names[predicted[k]]} {confidence[k]:.0%}" for k in eight], "image")
show_row(axes[1], 0.5 + 0.5 * np.sign(fooled - x[eight]), label="change (enlarged)")
answers = [f"{names[p.argmax()]} {p.max():.0%}" for p in new]
show_row(axes[2], np.clip(fooled * std + mean, 0, 1), answers, "changed", now_wrong)
plt.show()
print(f"{len(now_wrong)} of 8 are wrong now, after a change of at most 4 of 255 steps")

# %% [markdown]
# The network has learned what tells these training images apart, not what *we* call a shape. Goodfellow et al. blame the
# network's linearity, as in the sum above: many small terms add up. In many dimensions that is enough. It is also a
# warning about saliency. If changes that mean nothing to us matter so much to the network, a true map of what matters to
# it need not look meaningful to us.
#
# ## The image that a class likes best
#
# Now take many steps instead of one, and climb the logit of a class instead of the loss. Start from faint noise, and
# let the network draw (Simonyan et al. 2014, section 2). To keep the numbers from growing without bound, maximise
#
# $$ S_c(I) - \lambda \, \|I\|^2 $$

# %% tags=["task"]
task("11.5")

# %% [markdown]
# **Predict:** which of the classes will you recognise?

# %%
K = len(names[:10])
start = 0.3 * np.random.default_rng(0).standard_normal((K, *x.shape[1:])).astype(np.float32)
liked = class_images(model, start, np.arange(K), steps=20 if FAST else 100, learning_rate=5.0, decay=0.003)
begin, end = model(start).diagonal(), model(liked).diagonal()  # of image k the logit of class k
fig, axes = plt.subplots(1, K, figsize=(11, 1.5), layout="constrained")
show_row(axes, np.clip(liked * std + mean, 0, 1), names[:K])
plt.show()
real = np.concatenate([model(x[k : k + 250]) for k in range(0, TEST, 250)])
for k in range(K):
    print(f"{names[k]:>11}: logit {begin[k]:6.1f} -> {end[k]:6.1f}; largest of the test images {real[:, k].max():5.1f}")
assert (end > begin).all(), "gradient ascent must raise the logit"

# %% [markdown]
# Textures come out well, if there are any among the classes: they look the same everywhere. Of shapes you see fragments,
# edges and corners all over the image, and no single object. That fits the way the network ends. The average pooling
# adds up evidence over all positions, so more of it is better, wherever it is. It need not form a whole.
#
# And compare the logits: the network may like these images far better than any real one. They are unlike anything that
# it was trained on. They show what the network *responds* to, not what it expects to see.
#
# ## What these images show, and what they do not
#
# | | shows | does not show |
# |---|---|---|
# | filters, feature maps | what is computed | whether it matters for the answer |
# | strongest images, neighbours | what looks alike to a channel, or to the network | why |
# | saliency | where a tiny change would move the logit | where the object is |
# | Grad-CAM | which positions contribute to the logit, coarsely | which details there |
# | covering | how the logit changes without one patch | how patches act together; the cover itself is unnatural |
# | fooling images | that small steps in many pixels add up | how it behaves on ordinary images |
# | class images | what raises the logit most | what real images of the class look like |
#
# ## Questions to think about
#
# <details><summary>A network tells huskies from wolves. Grad-CAM lights up on the snow in the background of every wolf.
# What have you learned, and what would you do next?</summary>
#
# You have a hypothesis: it uses the snow. The map does not prove it, as high-level features at these positions may depend
# on the animal beside them (the receptive field is large, chapter 07). Test it: cover the snow, or show wolves without
# snow and huskies with it, and look at the answers.
#
# </details>
#
# <details><summary>Why is the step that fools the network found with the gradient of the loss, but saliency with the
# gradient of a logit?</summary>
#
# The questions differ. Saliency asks what this class's score depends on. A step that fools must change the *ranking* of
# the classes, so it must lower this logit or raise others; the loss contains them all. When the network is certain,
# though, the gradient of the loss with respect to the logits, $p - \text{one-hot}$, is close to 0, and so is everything
# that backward computes from it: the signs then come from very small numbers.
#
# </details>
#
# <details><summary>Somebody shows you a new method whose maps look much cleaner than these. What do you ask?</summary>
#
# Do the maps change when the weights are randomised, and when the labels are (Adebayo et al. 2018 do both)? Does covering
# what they mark cost more than covering random patches? Were the examples chosen? A smoother map may only hide more.
#
# </details>
#
# ## What PyTorch calls this
#
# | here | PyTorch |
# |---|---|
# | `model.conv1.weight.value` (KH, KW, 3, O) | `model.conv1.weight` (O, 3, KH, KW) |
# | `activations(model, x)` | `torchvision.models.feature_extraction.create_feature_extractor`, or forward hooks |
# | `saliency(model, x)` | `logits[0, c].backward()`, `x.grad.abs().amax(1)`; `captum.attr.Saliency` |
# | `grad_cam(model, x, layer)` | `captum.attr.LayerGradCam`, or the package `grad-cam` |
# | `occlusion_map` | `captum.attr.Occlusion` |
# | `fgsm` | `x + epsilon * x.grad.sign()`, after `loss.backward()` |
# | `class_images` | `torch.optim.SGD([image], lr, weight_decay=2 * decay)` on minus the logit, with `image.requires_grad_()` |
#
# ## Sources
#
# * Simonyan, Vedaldi and Zisserman 2014, "Deep Inside Convolutional Networks: Visualising Image Classification Models and
#   Saliency Maps", sections 2 and 3.
# * Krizhevsky, Sutskever and Hinton 2012, "ImageNet Classification with Deep Convolutional Neural Networks", figure 3.
# * Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks": strongest images (figure 2), covering
#   (section 4.2).
# * Zhou, Khosla, Lapedriza, Oliva and Torralba 2016, "Learning Deep Features for Discriminative Localization".
# * Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", equations 1
#   and 2.
# * Adebayo et al. 2018, "Sanity Checks for Saliency Maps".
# * Goodfellow, Shlens and Szegedy 2015, "Explaining and Harnessing Adversarial Examples".
#
# Next: [12 The GPU](12_gpu.py), where the same code runs on a graphics card.
