"""Pays once and prints what the service answers, as JSON with every amount as a string.

Arguments: the folder of the generated modules, HOST:PORT, the API key, the order as JSON.
"""

import json
import sys

folder, target, key, order_json = sys.argv[1:]
sys.path.insert(0, folder)

import grpc  # noqa: E402
from instantpayment.v1 import (  # noqa: E402
    account_service_pb2,
    account_service_pb2_grpc,
    money_pb2,
    payment_pb2,
    payment_service_pb2,
    payment_service_pb2_grpc,
)

order = json.loads(order_json)
call = {"metadata": [("authorization", f"Bearer {key}")], "timeout": 20}

# A proxy of the environment is no way to the loopback.
with grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as channel:
    payment = payment_service_pb2_grpc.PaymentServiceStub(channel).CreatePayment(
        payment_service_pb2.CreatePaymentRequest(
            idempotency_key=order["idempotencyKey"],
            debtor_account_id=order["debtorAccountId"],
            creditor_account_id=order["creditorAccountId"],
            amount=money_pb2.Money(
                currency_code=order["amount"]["currencyCode"],
                amount_minor=int(order["amount"]["amountMinor"]),
            ),
        ),
        **call,
    ).payment
    balance = account_service_pb2_grpc.AccountServiceStub(channel).GetBalance(
        account_service_pb2.GetBalanceRequest(account_id=order["creditorAccountId"]), **call
    ).balance

outcome = {
    "status": payment_pb2.PaymentStatus.Name(payment.status),
    "paid": str(payment.amount.amount_minor),
    "posted": str(balance.posted_minor),
}
print(json.dumps(outcome))
