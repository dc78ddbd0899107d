"""A market for notebooks: contracts, accounts and prices in decimals, the whole engine behind it.

>>> import seawall
>>> market = seawall.Market(rulebook="teaching-default", price="100")
>>> maker = market.open_account(deposit="1000000")
>>> trader = market.open_account(deposit="1000", leverage=10)
>>> _ = market.sell(maker, "50", price="100")
>>> _ = market.buy(trader, "50", price="100")
>>> market.position(trader).liquidation_price
'81.68'
"""

from seawall.market.market import Market as Market
from seawall.market.refusals import Rejected as Rejected
from seawall.market.views import AccountView as AccountView
from seawall.market.views import CallView as CallView
from seawall.market.views import CollateralView as CollateralView
from seawall.market.views import ContractView as ContractView
from seawall.market.views import OrderView as OrderView
from seawall.market.views import PositionView as PositionView
