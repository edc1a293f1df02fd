import torch
from matching.wireframes import make_wireframe
from torch import Tensor

from gluestick.matching.tokens import Tokens, to_nodes, tokenize
from gluestick.types import Wireframe
from gluestick.wireframe import stack_wireframes

COUNTS = [(4, 3, 2), (2, 5, 4), (6, 0, 0)]


def batch() -> Wireframe:
    return stack_wireframes([make_wireframe(*counts, seed=i) for i, counts in enumerate(COUNTS)])


def make_tokens(wireframe: Wireframe) -> Tokens:
    """Return tokens whose values tell the node they stand for."""
    node = torch.arange(wireframe.keypoints.shape[1]).expand(wireframe.batch_size, -1)
    return tokenize(wireframe, node[..., None].float(), node[None, ..., None].float())


def edges_by_image(tokens: Tokens) -> list[set[tuple[int, int]]]:
    size = tokens.num_junctions
    sets: list[set[tuple[int, int]]] = [set() for _ in range(len(tokens.x))]
    for sender, receiver in tokens.edge_index.t().tolist():
        assert sender // size == receiver // size
        sets[sender // size].add((sender % size, receiver % size))
    return sets


def assert_nodes(tokens: Tokens, row: int, nodes: list[int]) -> None:
    real: Tensor = tokens.real[row]
    assert tokens.nodes[row, real].tolist() == nodes
    assert tokens.x[row, real, 0].tolist() == nodes
    assert tokens.rotary[0, row, real, 0].tolist() == nodes


def test_tokenize():
    tokens = make_tokens(batch())
    assert tokens.num_junctions == 5
    assert tokens.x.shape == (3, 5 + 6, 1)
    assert not tokens.ordered
    for row, (keypoints, junctions, _) in enumerate(COUNTS):
        assert_nodes(tokens, row, [*range(junctions + keypoints)])
        assert tokens.real[row, :5].sum() == junctions
    for row, edges in enumerate(edges_by_image(tokens)):
        expected = {
            tuple(edge) for edge in make_wireframe(*COUNTS[row], seed=row).edge_index.t().tolist()
        }
        assert edges == expected | {(index, index) for index in range(5)}


def test_single_image_needs_no_padding():
    tokens = make_tokens(make_wireframe(4, 3, 2))
    assert tokens.ordered
    assert tokens.mask is None


def test_take_pairs():
    tokens = make_tokens(batch())
    taken = tokens.take_pairs(torch.tensor([False, True, True]))
    assert_nodes(taken, 0, [*range(7)])
    assert_nodes(taken, 1, [*range(6)])
    assert edges_by_image(taken) == edges_by_image(tokens)[1:]


def test_keep_keypoints():
    tokens = make_tokens(batch())
    keep = torch.rand(tokens.real.shape, generator=torch.manual_seed(0)) > 0.5
    kept = tokens.keep_keypoints(keep)
    for row, (keypoints, junctions, _) in enumerate(COUNTS):
        left = [junctions + i for i in range(keypoints) if keep[row, 5 + i]]
        assert_nodes(kept, row, [*range(junctions), *left])
    assert kept.x.shape[1] < tokens.x.shape[1]
    nothing = tokens.keep_keypoints(torch.zeros_like(keep))
    assert nothing.x.shape[1] == 5
    assert tokens.keep_keypoints(torch.ones_like(keep)) is tokens


def test_to_nodes():
    wireframe = batch()
    tokens = make_tokens(wireframe)
    keep = torch.rand(tokens.real.shape, generator=torch.manual_seed(0)) > 0.5
    kept = tokens.keep_keypoints(keep)
    values = torch.rand(3, kept.x.shape[1] + 1, tokens.x.shape[1] + 1)
    nodes = to_nodes(values, kept, tokens, shape=(7, 7))
    assert nodes.shape == (3, 8, 8)
    for row in range(3):
        left = set()
        for slot in kept.real[row].nonzero()[:, 0]:
            node = int(kept.nodes[row, slot])
            left.add(node)
            for other in tokens.real[row].nonzero()[:, 0]:
                assert nodes[row, node, tokens.nodes[row, other]] == values[row, slot, other]
            assert nodes[row, node, -1] == values[row, slot, -1]
        for node in set(range(7)) - left:
            assert (nodes[row, node, :-1] == float("-inf")).all()
            assert nodes[row, node, -1] == 0
        assert nodes[row, -1, -1] == values[row, -1, -1]
