"""Train a small torch-geometric network on wireframes: which junctions end a matched line?

It is told the answer for half of the junctions of both images and asked about the others: once
as if there were no lines, and once with messages along the lines.

Usage: ``python demos/learn_on_wireframes.py IMAGE0 IMAGE1``
"""

import argparse

import torch
from torch.nn.functional import binary_cross_entropy_with_logits
from torch_geometric.nn import GraphSAGE
from torch_geometric.utils import scatter

from gluestick import PointLineMatcher, load_image
from gluestick.wireframe import stack_wireframes

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("images", nargs=2)
arguments = parser.parse_args()

matcher = PointLineMatcher.from_pretrained(max_num_keypoints=512)
wireframe0, wireframe1, matches = matcher(*(load_image(path) for path in arguments.images))
graphs = stack_wireframes([wireframe0, wireframe1]).graphs()  # a torch-geometric Batch
matched = torch.cat([matches.line_matches0[0], matches.line_matches1[0]]) > -1  # [L]
print(f"{graphs.num_nodes} nodes, {len(matched)} lines, {int(matched.sum())} of them matched")

torch.manual_seed(0)
ends = graphs.line_junctions.flatten()  # [2L]
num_matched = scatter(matched.repeat_interleave(2).long(), ends, dim_size=graphs.num_nodes)
answers = (num_matched > 0).float()
told = graphs.junction_mask & (torch.rand(graphs.num_nodes) < 0.5)
asked = graphs.junction_mask & ~told
places = graphs.pos / graphs.image_size[graphs.batch]
x = torch.cat([graphs.x, places, graphs.keypoint_scores[:, None]], dim=1)

for name, edges in (("without lines", graphs.edge_index[:, :0]), ("with lines", graphs.edge_index)):
    network = GraphSAGE(x.shape[1], hidden_channels=32, num_layers=2, out_channels=1, dropout=0.3)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01, weight_decay=1e-3)
    for _ in range(100):
        optimizer.zero_grad()
        scores = network(x, edges)[:, 0]
        binary_cross_entropy_with_logits(scores[told], answers[told]).backward()
        optimizer.step()
    with torch.no_grad():
        scores = network.eval()(x, edges)[asked, 0]
    right = answers[asked] > 0
    area = (scores[right][:, None] > scores[~right]).float().mean()
    print(f"{name}: area under the ROC curve {area:.3f} on {len(scores)} junctions")
