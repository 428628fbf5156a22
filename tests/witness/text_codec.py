"""Lets two public TWS clients read single text messages and write requests at any server version.

text_codec.py read   reads lines `{"version", "id", "fields", "expect"}` (fields: base64) and prints each difference
                     between what the clients' decoders read and the expected values, then the number of messages
text_codec.py write  prints lines `{"client", "version", "name", "frame"}` for requests with fixed contents
"""

import base64
import dataclasses
import json
import sys
from decimal import Decimal

import ib_async
import ibapi.client
import ibapi.contract
import ibapi.decoder
import ibapi.execution
import ibapi.order
import ibapi.order_cancel
import ibapi.order_condition
import ibapi.softdollartier
import ibapi.tag_value
import ib_async.client
import ib_async.decoder

# Text, mixed from 201 on, protobuf from 213 on.
VERSIONS = range(157, 226)
IB_ASYNC_VERSIONS = range(157, 179)


def attributes(thing):
    """What an object of any kind holds, by name."""
    if dataclasses.is_dataclass(thing):
        return {f.name: getattr(thing, f.name) for f in dataclasses.fields(thing)}
    return thing._asdict() if hasattr(thing, "_asdict") else getattr(thing, "__dict__", {})


def flatten(args):
    """Arguments by position, and attributes of them, or of a list's first, by lower-case class and name."""
    out = {}
    for position, arg in enumerate(args):
        out[str(position)] = arg
        first = arg[0] if isinstance(arg, list) and arg else None
        for holder in (arg, getattr(arg, "contract", None), first, getattr(first, "contract", None)):
            for name, value in attributes(holder).items():
                out[f"{type(holder).__name__.lower()}.{name}"] = value
    return out


class Calls:
    """A wrapper that keeps what it is called with."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        def call(*args):
            self.calls.append((name, flatten(args)))

        return call


def by_nautilus(version, msg_id, fields):
    calls = Calls()
    decoder = ibapi.decoder.Decoder(calls, version)
    info = decoder.msgId2handleInfo[msg_id]
    if info.processMeth is None:
        # The arguments are the fields behind the first.
        decoder.interpretWithSignature(fields, info)
        return calls.calls, 0
    left = iter(fields)
    info.processMeth(decoder, left)
    return calls.calls, len(list(left))


def by_ib_async(version, msg_id, fields):
    class Wrapper(Calls):
        ib = type("Ib", (), {"TimezoneTWS": ""})()
        defaultTimezone = None

    calls = Wrapper()
    decoder = ib_async.decoder.Decoder(calls, version)
    decoder.handlers[msg_id]([str(msg_id)] + [f.decode() for f in fields])
    return calls.calls, 0


def same(ours, theirs):
    if isinstance(theirs, bool) or isinstance(ours, bool):
        return bool(ours) == bool(theirs)
    try:
        return float(ours) == float(theirs)
    except (TypeError, ValueError):
        return str(ours) == str(theirs)


def read():
    messages = 0
    for line in sys.stdin:
        m = json.loads(line)
        fields = base64.b64decode(m["fields"]).split(b"\0")[:-1]
        clients = [("nautilus", by_nautilus)]
        if m["version"] in IB_ASYNC_VERSIONS:
            clients.append(("ib_async", by_ib_async))
        for client, decode in clients:
            where = f"{client} at {m['version']}, message {m['id']}"
            try:
                calls, left = decode(m["version"], m["id"], list(fields))
            except Exception as e:
                print(f"{where}: {type(e).__name__} {e}")
                continue
            if left:
                print(f"{where}: {left} fields left over")
            expect = {k: v for k, v in m["expect"].items() if ":" not in k}
            expect.update({k.split(":")[1]: v for k, v in m["expect"].items() if k.startswith(client + ":")})
            for key, value in expect.items():
                found = [values[key] for _, values in calls if key in values]
                if not any(same(value, other) for other in found):
                    print(f"{where}: {key} is {found}, not {value}")
            messages += 1
    print(json.dumps({"messages": messages}))


CONTRACT = dict(
    conId=265598, symbol="AAPL", secType="STK", exchange="SMART", primaryExchange="NASDAQ", currency="USD",
    localSymbol="AAPLx", tradingClass="NMS",
)
ORDER = dict(
    action="SELL", totalQuantity=12, orderType="STP LMT", lmtPrice=101.25, auxPrice=100.5, tif="GTD",
    goodTillDate="20260415-14:05:30", goodAfterTime="20260415-13:05:30", account="DU1", orderRef="ref",
    ocaGroup="group", ocaType=1, outsideRth=True, transmit=True, whatIf=True, parentId=41, displaySize=3,
    triggerMethod=2, allOrNone=True, trailStopPrice=99.75, trailingPercent=1.5, usePriceMgmtAlgo=True, openClose="O",
)
# What few orders have: both clients' names are the same.
RARE = dict(
    blockOrder=True, sweepToFill=True, hidden=True, discretionaryAmt=0.25, faGroup="g", faMethod="m",
    faPercentage="7", modelCode="mc", shortSaleSlot=2, designatedLocation="loc", exemptCode=3, rule80A="A",
    settlingFirm="sf", minQty=4, percentOffset=0.03, overridePercentageConstraints=True, scaleInitLevelSize=5,
    scaleSubsLevelSize=6, scalePriceIncrement=0.05, scalePriceAdjustValue=0.06, scalePriceAdjustInterval=60,
    scaleProfitOffset=0.07, scaleAutoReset=True, scaleInitPosition=8, scaleInitFillQty=9, scaleRandomPercent=True,
    scaleTable="st", activeStartTime="10:00:00", activeStopTime="11:00:00", hedgeType="D", hedgeParam="hp",
    optOutSmartRouting=True, clearingAccount="ca", clearingIntent="Away", notHeld=True, algoStrategy="Twap",
    algoId="id", solicited=True, randomizeSize=True, randomizePrice=True, conditionsIgnoreRth=True,
    conditionsCancelOrder=True, adjustedOrderType="STP", triggerPrice=98.5, adjustedStopPrice=97.5,
    adjustedStopLimitPrice=97.25, adjustedTrailingAmount=1.25, adjustableTrailingUnit=100, lmtPriceOffset=0.5,
    extOperator="op", cashQty=1000.0, isOmsContainer=True, discretionaryUpToLimitPrice=True, origin=1,
)
SINCE = dict(duration=(158, 30), postToAts=(160, 2), autoCancelParent=(162, True),
             advancedErrorOverride=(166, "8229"), manualOrderTime=(169, "20260415-14:00:00"))


def rare_order(module, version):
    order = made(module["order"], {**ORDER, **RARE})
    for name, (since, value) in SINCE.items():
        if version >= since:
            setattr(order, name, value)
    order.algoParams = [module["tag"]("strategyType", "Marketable"), module["tag"]("catchUp", "")]
    order.softDollarTier = module["tier"]("tn", "tv", "")
    order.conditions = module["conditions"]()
    return order
FILTER = dict(clientId=7, acctCode="DU1", time="20260415-09:30:00", symbol="AAPL", secType="STK", exchange="NYSE",
              side="BUY")


def made(cls, values):
    it = cls()
    for name, value in values.items():
        setattr(it, name, value)
    return it


def by_async():
    """One condition of each kind."""
    a = ib_async
    return [
        a.PriceCondition(1, "a", True, 101.5, 265598, "SMART", 2),
        a.TimeCondition(3, "o", False, "20260415-15:00:00"),
        a.MarginCondition(4, "a", True, 30),
        a.ExecutionCondition(5, "o", "STK", "SMART", "AAPL"),
        a.VolumeCondition(6, "a", True, 5000, 265598, "SMART"),
        a.PercentChangeCondition(7, "a", False, -2.5, 265598, "SMART"),
    ]


def by_ibapi():
    c = ibapi.order_condition
    made = [
        c.PriceCondition(2, 265598, "SMART", True, 101.5), c.TimeCondition(False, "20260415-15:00:00"),
        c.MarginCondition(True, 30), c.ExecutionCondition("STK", "SMART", "AAPL"),
        c.VolumeCondition(265598, "SMART", True, 5000), c.PercentChangeCondition(265598, "SMART", False, -2.5),
    ]
    for condition, joined in zip(made, [True, False, True, False, True, True]):
        condition.isConjunctionConnection = joined
    return made


def emit(client, version, name, frame):
    body = frame[4:]
    print(json.dumps({"client": client, "version": version, "name": name, "frame": base64.b64encode(body).decode()}))


def requests(client, module, version):
    """The requests that both clients offer under the same names, as (name, call)."""
    contract = made(module["contract"], CONTRACT)
    order = made(module["order"], ORDER)
    if isinstance(order, ibapi.order.Order):
        order.totalQuantity = Decimal(12)
    execution_filter = made(module["filter"], FILTER)
    rare = rare_order(module, version)
    if isinstance(rare, ibapi.order.Order):
        rare.totalQuantity = Decimal(12)
    yield "place", lambda: client.placeOrder(42, contract, order)
    yield "rare", lambda: client.placeOrder(42, contract, rare)
    yield "cancel", lambda: client.cancelOrder(42, *module["cancel"])
    yield "details", lambda: client.reqContractDetails(5, contract)
    yield "quotes", lambda: client.reqMktData(5, contract, "236,233", True, False, [])
    yield "history", lambda: client.reqHistoricalData(
        5, contract, "20260415 16:00:00 US/Eastern", "1 D", "1 min", "TRADES", 1, 2, False, [])
    yield "executions", lambda: client.reqExecutions(5, execution_filter)
    yield "summary", lambda: client.reqAccountSummary(5, "All", "NetLiquidation,BuyingPower")
    yield "updates", lambda: client.reqAccountUpdates(True, "DU1")
    yield "pnl", lambda: client.reqPnL(5, "DU1", "")
    yield "pnl_single", lambda: client.reqPnLSingle(5, "DU1", "", 265598)
    yield "completed", lambda: client.reqCompletedOrders(True)
    yield "auto", lambda: client.reqAutoOpenOrders(True)
    yield "rule", lambda: client.reqMarketRule(26)
    yield "type", lambda: client.reqMarketDataType(3)
    yield "positions", client.reqPositions
    yield "global", lambda: client.reqGlobalCancel(*module["global"])
    yield "depth", lambda: client.reqMktDepth(5, contract, 5, False, [])
    yield "depth_exchanges", client.reqMktDepthExchanges
    yield "ticks", lambda: client.reqTickByTickData(5, contract, "BidAsk", 10, True)
    yield "bars", lambda: client.reqRealTimeBars(5, contract, 5, "TRADES", True, [])
    yield "past_ticks", lambda: client.reqHistoricalTicks(
        5, contract, "20260415 09:30:00 US/Eastern", "", 100, "BID_ASK", 1, True, [])
    yield "head", lambda: client.reqHeadTimeStamp(5, contract, "TRADES", 1, 2)
    yield "histogram", lambda: client.reqHistogramData(5, contract, True, "3 days")
    yield "positions_multi", lambda: client.reqPositionsMulti(5, "DU1", "model")
    yield "updates_multi", lambda: client.reqAccountUpdatesMulti(5, "DU1", "model", True)
    yield "symbols", lambda: client.reqMatchingSymbols(5, "AAP")
    yield "components", lambda: client.reqSmartComponents(5, "9c0001")
    yield "families", client.reqFamilyCodes
    yield "tiers", lambda: client.reqSoftDollarTiers(5)
    yield "cancel_ticks", lambda: client.cancelTickByTickData(5)
    yield "cancel_depth", lambda: client.cancelMktDepth(5, False)
    yield "cancel_bars", lambda: client.cancelRealTimeBars(5)
    yield "cancel_head", lambda: client.cancelHeadTimeStamp(5)
    yield "cancel_histogram", lambda: client.cancelHistogramData(5)
    yield "cancel_positions_multi", lambda: client.cancelPositionsMulti(5)
    yield "cancel_updates_multi", lambda: client.cancelAccountUpdatesMulti(5)
    yield "start", client.startApi


def write():
    for version in VERSIONS:
        frames = []
        conn = type("Conn", (), {"sendMsg": lambda self, m: frames.append(m), "isConnected": lambda self: True})()
        client = ibapi.client.EClient(Calls())
        client.conn, client.serverVersion_, client.clientId, client.optCapab = conn, version, 9, ""
        client.connState = ibapi.client.EClient.CONNECTED
        cancel = ibapi.order_cancel.OrderCancel()
        module = dict(contract=ibapi.contract.Contract, order=ibapi.order.Order,
                      filter=ibapi.execution.ExecutionFilter, cancel=[cancel])
        module["global"] = [cancel]
        module.update(tag=ibapi.tag_value.TagValue, tier=ibapi.softdollartier.SoftDollarTier, conditions=by_ibapi)
        for name, call in requests(client, module, version):
            frames.clear()
            call()
            if not frames:
                print(json.dumps({"client": "nautilus", "version": version, "name": name, "frame": "",
                                  "error": str(client.wrapper.calls[-1:])}))
            for frame in frames:
                emit("nautilus", version, name, frame)

    for version in IB_ASYNC_VERSIONS:
        frames = []
        client = ib_async.client.Client(Calls())
        client.connState, client._serverVersion, client.clientId, client.optCapab = (
            ib_async.client.Client.CONNECTED, version, 9, "")
        client.sendMsg = lambda text: frames.append(b"\0\0\0\0" + text.encode())
        module = dict(contract=ib_async.Contract, order=ib_async.Order, filter=ib_async.ExecutionFilter, cancel=[])
        module["global"] = []
        module.update(tag=ib_async.TagValue, tier=ib_async.SoftDollarTier, conditions=by_async)
        for name, call in requests(client, module, version):
            frames.clear()
            call()
            for frame in frames:
                emit("ib_async", version, name, frame)


{"read": read, "write": write}[sys.argv[1]]()
