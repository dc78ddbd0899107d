"""The messages on an order's way between risk and matching, as this build makes them."""

from typing import TYPE_CHECKING

from engine import kernel_links
from engine.forms import Word, form_of

if TYPE_CHECKING:
    from engine.kernel_links import ChangeOrder as ChangeOrder
    from engine.kernel_links import Fill as Fill
    from engine.kernel_links import OrderChanged as OrderChanged
    from engine.kernel_links import OrderGone as OrderGone
    from engine.kernel_links import PlaceOrder as PlaceOrder
    from engine.kernel_links import PullFailed as PullFailed
    from engine.kernel_links import PullOrder as PullOrder
else:
    PlaceOrder = form_of(kernel_links.PlaceOrder, Word)
    PullOrder = form_of(kernel_links.PullOrder, Word)
    ChangeOrder = form_of(kernel_links.ChangeOrder, Word)
    Fill = form_of(kernel_links.Fill, Word)
    OrderGone = form_of(kernel_links.OrderGone, Word)
    OrderChanged = form_of(kernel_links.OrderChanged, Word)
    PullFailed = form_of(kernel_links.PullFailed, Word)
