import torch

from gluestick.supervision.losses.same_line import PairTruth, partner_loss, same_line_loss


def make_truth(number: int = 40, *, seed: int = 0) -> PairTruth:
    torch.manual_seed(seed)
    image, line0, line1 = (torch.randint(size, (number,)) for size in (2, 6, 7))
    same = torch.rand(number) < 0.3
    return PairTruth(
        same=same,
        overlap=torch.rand(number).double(),
        partner=torch.zeros(number, dtype=torch.bool),
        weight=torch.randint(0, 3, (number,)).double(),
        image=image,
        line0=line0,
        line1=line1,
    )


def test_partner_loss_is_that_of_a_dense_double_softmax() -> None:
    torch.manual_seed(0)
    row, column = torch.meshgrid(torch.arange(3), torch.arange(4), indexing="ij")
    scores = torch.randn(3, 4)
    partner = torch.zeros(3, 4, dtype=torch.bool)
    partner[0, 2] = partner[2, 1] = True
    ones = torch.ones(12)
    truth = PairTruth(
        partner.flatten(),
        ones,
        partner.flatten(),
        ones,
        0 * row.flatten(),
        row.flatten(),
        column.flatten(),
    )
    rows = torch.cat([scores, torch.zeros(3, 1)], 1).log_softmax(1)
    columns = torch.cat([scores, torch.zeros(1, 4)], 0).log_softmax(0)
    matched = ((rows[:, :-1] + columns[:-1]) / 2)[partner].mean()
    unmatched = torch.stack([rows[1, -1], columns[-1, 0], columns[-1, 3]]).mean()
    expected = -(matched + unmatched) / 2
    torch.testing.assert_close(partner_loss(scores.flatten(), truth), expected)


def test_gradients() -> None:
    truth = make_truth()
    first = torch.ones(40, dtype=torch.bool)
    for other in range(40):
        for earlier in range(other):
            if truth.image[other] == truth.image[earlier] and (
                truth.line0[other] == truth.line0[earlier]
                or truth.line1[other] == truth.line1[earlier]
            ):
                first[other] = False
    truth = truth._replace(partner=first & truth.same)
    scores = torch.randn(40, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda values: partner_loss(values, truth), (scores,))


def test_what_is_not_known_has_no_influence() -> None:
    truth = make_truth()
    outputs = torch.randn(40, 3, requires_grad=True)
    same_line_loss(outputs, truth)["loss"].backward()
    assert outputs.grad is not None
    assert (outputs.grad[truth.weight == 0] == 0).all()
    assert outputs.grad.isfinite().all()


def test_nothing_counts() -> None:
    truth = make_truth()
    nothing = truth._replace(weight=torch.zeros(40))
    outputs = torch.randn(40, 3, requires_grad=True)
    loss = same_line_loss(outputs, nothing)["loss"]
    loss.backward()
    assert loss == 0
    empty = PairTruth(*(value[:0] for value in truth))
    assert same_line_loss(torch.zeros(0, 3), empty)["loss"] == 0
