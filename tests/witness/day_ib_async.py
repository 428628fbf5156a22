"""A trading day in small with ib_async, which speaks text, against a gateway.

Prints one JSON line a step; the first wrong thing ends it with an exit code that is not 0.
Usage: day_ib_async.py HOST:PORT SYMBOL CLIENT_ID
"""

import json
import sys

from ib_async import IB, ExecutionFilter, LimitOrder, MarketOrder, Stock

WAIT_S = 30
SHARES = 10


def say(step, **values):
    print(json.dumps({"step": step, **values}), flush=True)


def check(true, what):
    if not true:
        raise SystemExit(f"witness: {what}")


def wait(ib, what, condition):
    for _ in range(WAIT_S * 20):
        if condition():
            return
        ib.sleep(0.05)
    raise SystemExit(f"witness: no {what} within {WAIT_S} s")


def fill(ib, contract, action, ref):
    trade = ib.placeOrder(contract, MarketOrder(action, SHARES, tif="DAY", orderRef=ref))
    wait(ib, f"fill and commission of the {action}", lambda: trade.isDone() and trade.fills
         and all(f.commissionReport.execId for f in trade.fills))
    check(trade.orderStatus.status == "Filled" and sum(f.execution.shares for f in trade.fills) == SHARES,
          f"fill: {trade.orderStatus}")
    say("fill", side=action, executions=len(trade.fills))
    return len(trade.fills)


def main():
    address, symbol, client_id = sys.argv[1:4]
    host, port = address.rsplit(":", 1)
    ref = f"{symbol}-{client_id}"
    ib = IB()
    ib.connect(host, int(port), clientId=int(client_id), timeout=20)
    account = ib.managedAccounts()[0]
    say("connect", version=ib.client.serverVersion(), account=account)

    (contract,) = ib.qualifyContracts(Stock(symbol, "SMART", "USD"))
    details = ib.reqContractDetails(contract)
    check(len(details) == 1, f"{len(details)} contracts")
    say("contract", con_id=contract.conId, min_tick=details[0].minTick)

    ticker = ib.reqMktData(contract)
    wait(ib, "quote", lambda: ticker.bid > 0 and ticker.ask > 0)
    check(ticker.bid < ticker.ask, f"bid {ticker.bid}, ask {ticker.ask}")
    say("quotes", bid=ticker.bid, ask=ticker.ask)
    away = round(ticker.bid * 0.9, 2)
    ib.cancelMktData(contract)

    bars = ib.reqHistoricalData(contract, "", "1 D", "5 mins", "TRADES", useRTH=True)
    check(len(bars) > 1 and all(b.low <= b.close <= b.high for b in bars), f"{len(bars)} bars")
    say("history", bars=len(bars))

    fills = fill(ib, contract, "BUY", f"{ref}-1")

    orders = ib.bracketOrder("BUY", SHARES, away, round(away * 1.3, 2), round(away * 0.9, 2), tif="DAY")
    for number, order in enumerate(orders, 2):
        order.orderRef = f"{ref}-{number}"
    trades = [ib.placeOrder(contract, order) for order in orders]
    wait(ib, "bracket", lambda: [(t.orderStatus.status, t.orderStatus.whyHeld) for t in trades]
         == [("Submitted", ""), ("PreSubmitted", "child"), ("PreSubmitted", "child,trigger")])
    say("bracket", orders=3)

    parent = trades[0]
    parent.order.lmtPrice = round(away - 0.05, 2)
    parent.order.transmit = True
    ib.placeOrder(contract, parent.order)
    wait(ib, "modified order", lambda: any(t.order.lmtPrice == parent.order.lmtPrice for t in ib.reqAllOpenOrders()
                                           if t.order.permId == parent.order.permId))
    say("modify", price=parent.order.lmtPrice)

    ib.cancelOrder(parent.order)
    wait(ib, "cancel of the bracket", lambda: all(t.orderStatus.status == "Cancelled" for t in trades))
    say("cancel", orders=3)

    state = ib.whatIfOrder(contract, LimitOrder("BUY", SHARES, away, tif="DAY", orderRef=f"{ref}-5"))
    margin = float(state.initMarginChange)
    check(0 < margin < away * SHARES * 2 and state.commission > 0, f"what-if: {state}")
    say("what_if", margin=margin, commission=state.commission)

    executions = ib.reqExecutions(ExecutionFilter(clientId=int(client_id), symbol=symbol))
    check(len(executions) == fills, f"{len(executions)} executions, not {fills}")
    say("executions", count=len(executions))

    held = [p.position for p in ib.reqPositions() if p.contract.conId == contract.conId]
    check(held == [SHARES], f"position {held}")
    say("positions", shares=held[0])

    pnl = ib.reqPnL(account)
    wait(ib, "P&L", lambda: pnl.dailyPnL == pnl.dailyPnL)
    ib.cancelPnL(account)
    say("pnl", daily=pnl.dailyPnL)

    single = ib.reqPnLSingle(account, "", contract.conId)
    wait(ib, "P&L of one", lambda: single.value == single.value)
    check(single.position == SHARES and single.value > 0, f"P&L of one: {single}")
    ib.cancelPnLSingle(account, "", contract.conId)
    say("pnl_single", shares=single.position, value=single.value)

    # ib_async subscribes to the account's updates while it connects.
    values = {v.tag: v.value for v in ib.accountValues(account)}
    wait(ib, "portfolio row", lambda: [p.position for p in ib.portfolio(account)
                                       if p.contract.conId == contract.conId] == [SHARES])
    check(float(values["NetLiquidation"]) > 0, f"account values: {values}")
    say("updates", net=float(values["NetLiquidation"]), shares=held[0])

    summary = {v.tag: v.value for v in ib.accountSummary(account)}
    check(all(float(summary[t]) > 0 for t in ("NetLiquidation", "TotalCashValue", "BuyingPower")), f"summary: {summary}")
    say("summary", rows=len(summary))

    fill(ib, contract, "SELL", f"{ref}-6")
    completed = ib.reqCompletedOrders(False)
    mine = sorted(t.orderStatus.status for t in completed if t.order.orderRef.startswith(f"{ref}-"))
    check(mine == ["Cancelled"] * 3 + ["Filled"] * 2, f"completed orders: {mine}")
    say("completed", count=len(mine))

    # Not the bracket's price: the referee takes the same order soon again for a mistake.
    resting = ib.placeOrder(contract, LimitOrder("BUY", SHARES, round(away - 0.1, 2), tif="GTC", orderRef=f"{ref}-7"))
    wait(ib, "resting order", lambda: resting.orderStatus.status == "Submitted")
    ib.reqGlobalCancel()
    wait(ib, "global cancel", lambda: resting.orderStatus.status == "Cancelled")
    say("global_cancel")
    ib.disconnect()
    say("done")


main()
