"""Interactive Brokers' own Python client against a gateway: connect, contract, quote, buy one share, sell it.

Prints one JSON line a step and ends with exit code 0; a step that does not come within its time prints what was
seen and exits 1. Usage: official.py HOST:PORT SYMBOL [--client-id N] [--timeout SECONDS]
"""

import argparse
import json
import os
import queue
import sys
import threading
import time
import traceback

from ibapi.client import EClient
from ibapi.contract import Contract
from ibapi.order import Order
from ibapi.wrapper import EWrapper

BID, ASK = 1, 2
DETAILS_ID, QUOTE_ID = 101, 102


class Witness(EWrapper, EClient):
    """Puts each callback of interest on one queue, as (kind, values)."""

    def __init__(self):
        EWrapper.__init__(self)
        EClient.__init__(self, self)
        self.events = queue.Queue()

    def put(self, kind, **values):
        self.events.put((kind, values))

    def nextValidId(self, orderId):
        self.put("next_id", order_id=orderId)

    def managedAccounts(self, accountsList):
        self.put("accounts", accounts=accountsList)

    def error(self, reqId, errorTime, errorCode, errorString, advancedOrderRejectJson=""):
        self.put("error", id=reqId, time_ms=errorTime, code=errorCode, text=errorString)

    def contractDetails(self, reqId, contractDetails):
        self.put("details", req_id=reqId, details=contractDetails)

    def contractDetailsEnd(self, reqId):
        self.put("details_end", req_id=reqId)

    def tickPrice(self, reqId, tickType, price, attrib):
        self.put("price", req_id=reqId, type=tickType, price=price)

    def tickSize(self, reqId, tickType, size):
        self.put("size", req_id=reqId, type=tickType, size=float(size))

    def openOrder(self, orderId, contract, order, orderState):
        self.put("open_order", order_id=orderId, order_type=order.orderType, status=orderState.status)

    def orderStatus(self, orderId, status, filled, remaining, avgFillPrice, permId, *rest):
        self.put("status", order_id=orderId, status=status, filled=float(filled), average=avgFillPrice)

    def execDetails(self, reqId, contract, execution):
        self.put("execution", execution=execution, symbol=contract.symbol)

    def commissionAndFeesReport(self, report):
        self.put("commission", report=report)

    def connectionClosed(self):
        self.put("closed")


class Session:
    """The steps, one after the other."""

    def __init__(self, witness, timeout):
        self.witness = witness
        self.timeout = timeout
        self.seen = []

    def until(self, what, done):
        """Takes events until done(kind, values) gives something true, and returns that."""
        end = time.monotonic() + self.timeout
        while True:
            try:
                left = end - time.monotonic()
                kind, values = self.witness.events.get(block=left > 0, timeout=max(left, 0.01))
            except queue.Empty:
                fail(f"no {what} within {self.timeout} s; seen: {self.seen[-20:]}")
            if left <= 0:
                fail(f"no {what} within {self.timeout} s, but much else; seen: {self.seen[-20:]}")
            self.seen.append((kind, {k: v for k, v in values.items() if isinstance(v, (int, float, str))}))
            if kind == "closed":
                fail(f"the gateway closed while waiting for {what}; seen: {self.seen[-20:]}")
            result = done(kind, values)
            if result:
                return result

    def contract(self, symbol):
        wanted = Contract()
        wanted.symbol, wanted.secType, wanted.exchange, wanted.currency = symbol, "STK", "SMART", "USD"
        self.witness.reqContractDetails(DETAILS_ID, wanted)
        found = []

        def done(kind, values):
            if kind == "details":
                found.append(values["details"])
            return kind == "details_end"

        self.until("contract details", done)
        if len(found) != 1:
            fail(f"{len(found)} contracts for {symbol}")
        details = found[0]
        step("contract", symbol=details.contract.symbol, con_id=details.contract.conId, name=details.longName,
             min_tick=float(details.minTick), exchanges=details.validExchanges, rules=details.marketRuleIds,
             hours=details.liquidHours)
        return details.contract

    def quote(self, contract):
        self.witness.reqMarketDataType(1)
        self.witness.reqMktData(QUOTE_ID, contract, "", False, False, [])
        prices, sizes = {}, {}

        def done(kind, values):
            if kind == "price" and values["price"] > 0:
                prices[values["type"]] = values["price"]
            if kind == "size":
                sizes[values["type"]] = values["size"]
            return BID in prices and ASK in prices and 0 in sizes and 3 in sizes

        self.until("bid and ask", done)
        self.witness.cancelMktData(QUOTE_ID)
        step("quote", bid=prices[BID], ask=prices[ASK], bid_size=sizes[0], ask_size=sizes[3])

    def trade(self, order_id, contract, action):
        order = Order()
        order.action, order.orderType, order.totalQuantity, order.tif = action, "MKT", 1, "DAY"
        order.orderRef = f"witness-{order_id}"
        self.witness.placeOrder(order_id, contract, order)
        got = {}

        def done(kind, values):
            if kind == "open_order" and values["order_id"] == order_id:
                got["open_order"] = values["order_type"]
            if kind == "status" and values["order_id"] == order_id and values["status"] == "Filled":
                got["status"] = values
            if kind == "execution" and values["execution"].orderId == order_id:
                got["execution"] = values["execution"]
            if kind == "commission":
                got["commission"] = values["report"]
            if kind == "error" and values["id"] == order_id and values["code"] != 399:
                fail(f"order {order_id}: {values}")
            return len(got) == 4

        self.until(f"fill and commission of the {action}", done)
        execution, report = got["execution"], got["commission"]
        if report.execId != execution.execId:
            fail(f"commission of {report.execId} for execution {execution.execId}")
        step("fill", order_id=order_id, order_type=got["open_order"], side=execution.side,
             shares=float(execution.shares), price=execution.price, exec_id=execution.execId, time=execution.time,
             order_ref=execution.orderRef, filled=got["status"]["filled"], average=got["status"]["average"],
             commission=report.commissionAndFees, currency=report.currency, realized_pnl=report.realizedPNL)


def step(which, /, **values):
    print(json.dumps({"step": which, **values}), flush=True)


class Failed(Exception):
    """A step that did not come."""


def fail(text):
    raise Failed(text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("symbol")
    parser.add_argument("--client-id", type=int, default=9)
    parser.add_argument("--timeout", type=float, default=60.0)
    args = parser.parse_args()
    host, port = args.address.rsplit(":", 1)

    witness = Witness()
    session = Session(witness, args.timeout)
    witness.connect(host, int(port), args.client_id)
    if not witness.isConnected():
        fail(f"cannot connect to {args.address}")
    threading.Thread(target=witness.run, daemon=True).start()
    accounts = []

    def ready(kind, values):
        if kind == "accounts":
            accounts.append(values["accounts"])
        return values["order_id"] if kind == "next_id" else None

    order_id = session.until("next valid id", ready)
    step("connected", server_version=witness.serverVersion(), accounts=accounts, next_id=order_id)
    contract = session.contract(args.symbol)
    session.quote(contract)
    session.trade(order_id, contract, "BUY")
    session.trade(order_id + 1, contract, "SELL")
    witness.disconnect()
    step("done")


if __name__ == "__main__":
    code = 1
    try:
        main()
        code = 0
    except Failed as failed:
        print(f"witness: {failed}", file=sys.stderr, flush=True)
    except Exception:
        traceback.print_exc()
    # The client's reader thread would keep the process alive.
    sys.stderr.flush()
    os._exit(code)
