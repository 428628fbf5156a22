"""A trading day in small with IB's own Python client, or the copy of it that Nautilus publishes, against a gateway.

Prints one JSON line a step and ends with exit code 0; the first wrong thing ends it with exit code 1 and what was
seen. Usage: day_ibapi.py HOST:PORT SYMBOL CLIENT_ID
"""

import json
import os
import queue
import sys
import threading
import time
import traceback

from ibapi.client import EClient
from ibapi.contract import Contract
from ibapi.execution import ExecutionFilter
from ibapi.order import Order
from ibapi.order_cancel import OrderCancel
from ibapi.wrapper import EWrapper

WAIT_S = 30
SHARES = 10


class Wrong(Exception):
    """A step that did not come, or came wrong."""


def check(true, what):
    if not true:
        raise Wrong(what)


def say(step, **values):
    print(json.dumps({"step": step, **values}, default=float), flush=True)


class Client(EWrapper, EClient):
    """Puts each callback on one queue, as (name, arguments)."""

    def __init__(self):
        EWrapper.__init__(self)
        EClient.__init__(self, self)
        self.events = queue.Queue()


def recorder(name):
    def put(self, *args):
        self.events.put((name, args))

    return put


for callback in (
    "nextValidId", "managedAccounts", "error", "contractDetails", "contractDetailsEnd", "tickPrice", "historicalData",
    "historicalDataEnd", "openOrder", "orderStatus", "execDetails", "execDetailsEnd", "commissionAndFeesReport",
    "position", "positionEnd", "pnl", "pnlSingle", "updateAccountValue", "updatePortfolio", "accountDownloadEnd",
    "accountSummary", "accountSummaryEnd", "completedOrder", "completedOrdersEnd", "connectionClosed", "openOrderEnd",
):
    setattr(Client, callback, recorder(callback))


class Day:
    """The steps, one after the other."""

    def __init__(self, symbol, client_id):
        self.client, self.symbol, self.client_id = Client(), symbol, client_id
        self.seen, self.next_id, self.account, self.contract, self.refs = [], 0, "", None, 0

    def take(self, end, what):
        try:
            name, args = self.client.events.get(timeout=max(end - time.monotonic(), 0.001))
        except queue.Empty:
            raise Wrong(f"no {what} within {WAIT_S} s; seen: {self.seen[-12:]}") from None
        check(name != "connectionClosed", f"the gateway closed while waiting for {what}")
        self.seen.append((name, [a for a in args if isinstance(a, (int, float, str))]))
        return name, args

    def until(self, what, done):
        """Takes callbacks until done(name, args) gives something true, and returns that."""
        end = time.monotonic() + WAIT_S
        while True:
            result = done(*self.take(end, what))
            if result:
                return result

    def rows(self, what, row, last):
        """The arguments of every `row` until `last`."""
        rows = []

        def done(name, args):
            if name == row:
                rows.append(args)
            return name == last

        self.until(what, done)
        return rows

    def order(self, action, kind, price=0.0, **more):
        order = Order()
        order.action, order.orderType, order.totalQuantity, order.tif = action, kind, SHARES, "DAY"
        self.refs += 1
        order.orderRef = f"{self.symbol}-{self.client_id}-{self.refs}"
        if kind == "LMT":
            order.lmtPrice = price
        if kind == "STP":
            order.auxPrice = price
        for name, value in more.items():
            setattr(order, name, value)
        return order

    def place(self, order, order_id=None):
        if order_id is None:
            order_id, self.next_id = self.next_id, self.next_id + 1
        self.client.placeOrder(order_id, self.contract, order)
        return order_id

    def statuses(self, what, wanted):
        """Waits until each order id of `wanted` has its (status, whyHeld)."""
        now = {}

        def done(name, args):
            if name == "orderStatus":
                now[args[0]] = (args[1], args[9])
            check(not (name == "error" and args[0] in wanted and args[2] not in (202, 399)), f"{what}: {args}")
            return all(now.get(order_id) == state for order_id, state in wanted.items())

        self.until(what, done)

    def connect(self, host, port):
        self.client.connect(host, port, self.client_id)
        check(self.client.isConnected(), f"cannot connect to {host}:{port}")
        threading.Thread(target=self.client.run, daemon=True).start()
        got = {}

        def done(name, args):
            got[name] = args
            return "nextValidId" in got and "managedAccounts" in got

        self.until("log-in", done)
        self.next_id, self.account = got["nextValidId"][0], got["managedAccounts"][0]
        say("connect", version=self.client.serverVersion(), account=self.account)

    def details(self):
        wanted = Contract()
        wanted.symbol, wanted.secType, wanted.exchange, wanted.currency = self.symbol, "STK", "SMART", "USD"
        self.client.reqContractDetails(101, wanted)
        rows = self.rows("contract details", "contractDetails", "contractDetailsEnd")
        check(len(rows) == 1 and rows[0][1].contract.symbol == self.symbol, f"contract details: {rows}")
        self.contract = rows[0][1].contract
        say("contract", con_id=self.contract.conId, min_tick=float(rows[0][1].minTick))

    def quotes(self):
        self.client.reqMktData(102, self.contract, "", False, False, [])
        prices = {}

        def done(name, args):
            if name == "tickPrice" and args[0] == 102 and args[2] > 0:
                prices[args[1]] = args[2]
            return 1 in prices and 2 in prices

        self.until("bid and ask", done)
        self.client.cancelMktData(102)
        check(prices[1] < prices[2], f"bid {prices[1]}, ask {prices[2]}")
        say("quotes", bid=prices[1], ask=prices[2])
        return prices[1]

    def history(self):
        self.client.reqHistoricalData(103, self.contract, "", "1 D", "5 mins", "TRADES", 1, 1, False, [])
        bars = self.rows("history", "historicalData", "historicalDataEnd")
        check(len(bars) > 1 and all(b.low <= b.close <= b.high for _, b in bars), f"{len(bars)} bars")
        say("history", bars=len(bars))

    def fill(self, action):
        order_id = self.place(self.order(action, "MKT"))
        got = {}

        def done(name, args):
            if name == "execDetails" and args[2].orderId == order_id:
                got[args[2].execId] = [float(args[2].shares), None]
            if name == "commissionAndFeesReport" and args[0].execId in got:
                got[args[0].execId][1] = args[0].commissionAndFees
            if name == "orderStatus" and args[0] == order_id and args[1] == "Filled":
                got["status"] = float(args[2])
            fills = [v for k, v in got.items() if k != "status"]
            return "status" in got and sum(f[0] for f in fills) == SHARES and all(f[1] for f in fills)

        self.until(f"fill and commission of the {action}", done)
        check(got["status"] == SHARES, f"the status tells of {got['status']} shares")
        say("fill", side=action, executions=len(got) - 1)
        return len(got) - 1

    def bracket(self, away):
        order = self.order("BUY", "LMT", away, transmit=False)
        parent, self.parent_ref = self.place(order), order.orderRef
        profit = self.place(self.order("SELL", "LMT", round(away * 1.3, 2), parentId=parent, transmit=False))
        stop = self.place(self.order("SELL", "STP", round(away * 0.9, 2), parentId=parent))
        self.statuses("bracket", {parent: ("Submitted", ""), profit: ("PreSubmitted", "child"),
                                  stop: ("PreSubmitted", "child,trigger")})
        say("bracket", orders=3)
        return parent, profit, stop

    def modify(self, parent, away):
        self.place(self.order("BUY", "LMT", round(away - 0.05, 2), orderRef=self.parent_ref), parent)

        def done(name, args):
            return name == "openOrder" and args[0] == parent and args[2].lmtPrice == round(away - 0.05, 2)

        self.until("modified order", done)
        say("modify", price=round(away - 0.05, 2))

    def cancel(self, orders):
        self.client.cancelOrder(orders[0], OrderCancel())
        self.statuses("cancel of the bracket", {order_id: ("Cancelled", "") for order_id in orders})
        say("cancel", orders=len(orders))

    def what_if(self, away):
        order_id = self.place(self.order("BUY", "LMT", away, whatIf=True))

        def done(name, args):
            return args[3] if name == "openOrder" and args[0] == order_id else None

        state = self.until("what-if", done)
        change = float(state.initMarginChange)
        check(0 < change < away * SHARES * 2 and state.commissionAndFees > 0, f"what-if: {state}")
        say("what_if", margin=change, commission=state.commissionAndFees)

    def executions(self, wanted):
        wanted_filter = ExecutionFilter()
        wanted_filter.clientId, wanted_filter.symbol = self.client_id, self.symbol
        self.client.reqExecutions(104, wanted_filter)
        rows = self.rows("executions", "execDetails", "execDetailsEnd")
        check(len(rows) == wanted and all(r[0] == 104 for r in rows), f"{len(rows)} executions, not {wanted}")
        say("executions", count=len(rows))

    def positions(self):
        self.client.reqPositions()
        rows = self.rows("positions", "position", "positionEnd")
        held = [float(r[2]) for r in rows if r[1].symbol == self.symbol]
        check(held == [SHARES], f"position {held}")
        self.client.cancelPositions()
        say("positions", shares=held[0])

    def pnl(self):
        self.client.reqPnL(105, self.account, "")
        row = self.until("P&L", lambda name, args: args if name == "pnl" and args[0] == 105 else None)
        self.client.cancelPnL(105)
        check(abs(row[1]) < 1e6, f"P&L {row}")
        say("pnl", daily=row[1])

    def pnl_single(self):
        self.client.reqPnLSingle(106, self.account, "", self.contract.conId)
        row = self.until("P&L of one", lambda name, args: args if name == "pnlSingle" and args[0] == 106 else None)
        self.client.cancelPnLSingle(106)
        check(float(row[1]) == SHARES and row[5] > 0, f"P&L of one: {row}")
        say("pnl_single", shares=float(row[1]), value=row[5])

    def updates(self):
        self.client.reqAccountUpdates(True, self.account)
        got = {}

        def done(name, args):
            if name == "updateAccountValue":
                got[args[0]] = args[1]
            if name == "updatePortfolio" and args[0].symbol == self.symbol:
                got["shares"] = float(args[1])
            return name == "accountDownloadEnd"

        self.until("account updates", done)
        self.client.reqAccountUpdates(False, self.account)
        check(float(got["NetLiquidation"]) > 0 and got["shares"] == SHARES, f"account updates: {got}")
        say("updates", net=float(got["NetLiquidation"]), shares=got["shares"])

    def summary(self):
        tags = {"NetLiquidation", "TotalCashValue", "BuyingPower"}
        self.client.reqAccountSummary(107, "All", ",".join(tags))
        rows = self.rows("summary", "accountSummary", "accountSummaryEnd")
        self.client.cancelAccountSummary(107)
        check({r[2] for r in rows} == tags and all(float(r[3]) > 0 for r in rows), f"summary: {rows}")
        say("summary", rows=len(rows))

    def completed(self):
        self.client.reqCompletedOrders(False)
        rows = self.rows("completed orders", "completedOrder", "completedOrdersEnd")
        mine = sorted(r[2].status for r in rows if r[1].orderRef.startswith(f"{self.symbol}-{self.client_id}-"))
        check(mine == ["Cancelled"] * 3 + ["Filled"] * 2, f"completed orders: {mine}")
        say("completed", count=len(mine))

    def global_cancel(self, away):
        # Not the bracket's price: the referee takes the same order soon again for a mistake.
        order_id = self.place(self.order("BUY", "LMT", round(away - 0.1, 2), tif="GTC"))
        self.statuses("resting order", {order_id: ("Submitted", "")})
        self.client.reqGlobalCancel(OrderCancel())
        self.statuses("global cancel", {order_id: ("Cancelled", "")})
        say("global_cancel")


def main():
    address, symbol, client_id = sys.argv[1:4]
    host, port = address.rsplit(":", 1)
    day = Day(symbol, int(client_id))
    day.connect(host, int(port))
    day.details()
    away = round(day.quotes() * 0.9, 2)
    day.history()
    fills = day.fill("BUY")
    orders = day.bracket(away)
    day.modify(orders[0], away)
    day.cancel(orders)
    day.what_if(away)
    day.executions(fills)
    day.positions()
    day.pnl()
    day.pnl_single()
    day.updates()
    day.summary()
    day.fill("SELL")
    day.completed()
    day.global_cancel(away)
    day.client.disconnect()
    say("done")


if __name__ == "__main__":
    code = 1
    try:
        main()
        code = 0
    except Wrong as wrong:
        print(f"witness: {wrong}", file=sys.stderr, flush=True)
    except Exception:
        traceback.print_exc()
    # The client's reader thread would keep the process alive.
    sys.stderr.flush()
    os._exit(code)
