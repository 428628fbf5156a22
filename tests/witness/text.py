"""Trades one share and works limit, stop and bracket orders against a TWS gateway with ib_async, which speaks text.

Prints one JSON object a step. Usage: text.py HOST:PORT SYMBOL
"""

import json
import logging
import sys

from ib_async import IB, ExecutionFilter, LimitOrder, MarketOrder, Stock, StopOrder

WAIT_S = 30


def say(step, **values):
    print(json.dumps({"step": step, **values}), flush=True)


def wait(ib, what, condition):
    for _ in range(WAIT_S * 20):
        if condition():
            return
        ib.sleep(0.05)
    raise SystemExit(f"no {what} within {WAIT_S} s")


def filled(ib, contract, order):
    trade = ib.placeOrder(contract, order)
    wait(ib, "fill", lambda: trade.isDone() and trade.fills and trade.fills[0].commissionReport.execId)
    fill = trade.fills[0]
    say(
        "fill",
        status=trade.orderStatus.status,
        side=fill.execution.side,
        shares=fill.execution.shares,
        price=fill.execution.price,
        time=fill.execution.time.isoformat(),
        ref=fill.execution.orderRef,
        commission=fill.commissionReport.commission,
        currency=fill.commissionReport.currency,
        realized=fill.commissionReport.realizedPNL,
        order=trade.order.orderId,
        perm=trade.order.permId,
    )


def main():
    address, symbol = sys.argv[1:3]
    host, port = address.rsplit(":", 1)
    errors = []
    late = []
    handler = logging.Handler()
    handler.emit = lambda record: late.append(record.getMessage()) if "timed out" in record.getMessage() else None
    logging.getLogger("ib_async").addHandler(handler)
    ib = IB()
    ib.errorEvent += lambda req, code, text, contract: errors.append(code)
    ib.connect(host, int(port), clientId=7, timeout=5)
    say("connected", version=ib.client.serverVersion(), accounts=ib.managedAccounts(), time=str(ib.reqCurrentTime()),
        late=late)

    (contract,) = ib.qualifyContracts(Stock(symbol, "SMART", "USD"))
    details = ib.reqContractDetails(contract)[0]
    rule = int(details.marketRuleIds.split(",")[0])
    say(
        "contract",
        con_id=contract.conId,
        primary=contract.primaryExchange,
        name=details.longName,
        min_tick=details.minTick,
        hours=details.liquidHours,
        rule=[(step.lowEdge, step.increment) for step in ib.reqMarketRule(rule)],
    )

    ticker = ib.reqMktData(contract)
    wait(ib, "quote", lambda: ticker.bid > 0 and ticker.ask > 0)
    say("quote", bid=ticker.bid, ask=ticker.ask, bid_size=ticker.bidSize, ask_size=ticker.askSize)

    bars = ib.reqHistoricalData(contract, "", "1 D", "1 min", "TRADES", useRTH=True)
    say("history", bars=len(bars), first=str(bars[0].date) if bars else "", close=bars[-1].close if bars else 0)

    filled(ib, contract, MarketOrder("BUY", 1, tif="DAY", orderRef="text-1"))
    wait(ib, "position", lambda: any(p.contract.conId == contract.conId for p in ib.positions()))
    say("position", position=[p.position for p in ib.positions() if p.contract.conId == contract.conId][0])

    away = round(ticker.bid * 0.9, 2)
    trade = ib.placeOrder(contract, LimitOrder("BUY", 1, away, tif="DAY", orderRef="text-2"))
    wait(ib, "working order", lambda: trade.orderStatus.status == "Submitted")
    trade.order.lmtPrice = round(away - 0.01, 2)
    ib.placeOrder(contract, trade.order)
    ib.sleep(1)
    open_orders = [t.order.lmtPrice for t in ib.reqAllOpenOrders()]
    ib.cancelOrder(trade.order)
    wait(ib, "cancel", lambda: trade.orderStatus.status == "Cancelled")
    say("limit", asked=away, open=open_orders, status=trade.orderStatus.status)

    resting = ib.placeOrder(contract, StopOrder("SELL", 1, away, tif="GTC"))
    wait(ib, "resting stop", lambda: resting.orderStatus.status == "PreSubmitted")
    held = resting.orderStatus.whyHeld
    ib.reqGlobalCancel()
    wait(ib, "global cancel", lambda: resting.orderStatus.status == "Cancelled")
    say("stop", held=held, stop=resting.order.auxPrice, asked=away)

    bracket = [ib.placeOrder(contract, order) for order in
               ib.bracketOrder("BUY", 1, away, round(away * 1.2, 2), round(away * 0.9, 2), tif="GTC")]
    wait(ib, "bracket", lambda: bracket[0].orderStatus.status == "Submitted"
         and all(t.orderStatus.status == "PreSubmitted" for t in bracket[1:]))
    held = [t.orderStatus.whyHeld for t in bracket]
    ib.cancelOrder(bracket[0].order)
    wait(ib, "cancel of the bracket", lambda: all(t.orderStatus.status == "Cancelled" for t in bracket))
    say("bracket", held=held)

    state = ib.whatIfOrder(contract, LimitOrder("BUY", 1, away, tif="DAY"))
    say("what_if", init_margin=state.initMarginAfter, commission=state.commission, status=state.status)

    filled(ib, contract, MarketOrder("SELL", 1, tif="DAY", orderRef="text-3"))
    executions = ib.reqExecutions(ExecutionFilter(clientId=7))
    say("executions", refs=[e.execution.orderRef for e in executions])
    completed = ib.reqCompletedOrders(False)
    say("completed", orders=sorted((t.order.orderRef, t.orderStatus.status) for t in completed))
    summary = {v.tag: v.value for v in ib.accountSummary() if v.account in ib.managedAccounts()}
    say("summary", net=float(summary["NetLiquidation"]), values=len(ib.accountValues()))
    pnl = ib.reqPnL(ib.managedAccounts()[0])
    wait(ib, "P&L", lambda: pnl.dailyPnL == pnl.dailyPnL)
    say("pnl", daily=pnl.dailyPnL, realized=pnl.realizedPnL)
    ticks = ib.reqTickByTickData(contract, "BidAsk")
    depth = ib.reqMktDepth(contract, 5, isSmartDepth=True)
    live = ib.reqRealTimeBars(contract, 5, "MIDPOINT", True)
    wait(ib, "ticks, depth and bars", lambda: ticks.tickByTicks and depth.domBids and depth.domAsks and len(live) > 1)
    say("streams", rows=[len(depth.domBids), len(depth.domAsks)], bid=depth.domBids[0].price, close=live[-1].close)
    ib.cancelTickByTickData(contract, "BidAsk")
    ib.cancelMktDepth(contract, isSmartDepth=True)
    ib.cancelRealTimeBars(live)
    head = ib.reqHeadTimeStamp(contract, "TRADES", True, 2)
    past = ib.reqHistoricalTicks(contract, "", ib.reqCurrentTime(), 10, "TRADES", True)
    sessions = ib.reqHistoricalSchedule(contract, 3).sessions
    found = [d.contract.symbol for d in ib.reqMatchingSymbols(symbol)]
    say("past", head=str(head), ticks=len(past), sessions=len(sessions), found=found)
    ib.cancelMktData(contract)
    ib.disconnect()
    say("done", errors=errors)


main()
