-- Books of any size, made by the database itself; books.py fills in what is in braces.

INSERT INTO accounts (biller_id, account_id, number, status, name, address, phone, email, attributes,
    balance_minor, created_at_us)
SELECT :biller, n, {number}, 'active', 'Иванова' || (n % 5000) || ' Анна Петровна', 'ул. Садовая, 7', '',
    '', '', :owed * :each - :paid * (:payments / :accounts + CASE WHEN n <= :payments % :accounts THEN 1
    ELSE 0 END), :at
FROM {each of accounts};

INSERT INTO charges (biller_id, charge_id, account_id, service, period, document, occurrence,
    amount_minor, open_minor, due_on, act_id)
SELECT :biller, :accounts + n, ((n - 1) % :accounts) + 1, 'water', '2026-0' || ((n - 1) / :accounts +
    1), '', 1, :owed, :owed - CASE WHEN n > :accounts THEN 0 ELSE :paid * (:payments / :accounts + CASE
    WHEN n <= :payments % :accounts THEN 1 ELSE 0 END) END, '2026-0' || ((n - 1) / :accounts + 1) ||
    '-20', :act
FROM {each of charges};

INSERT INTO transactions (biller_id, transaction_id, kind, accounting_date, created_at_us, reverses,
    reason, author)
SELECT :biller, :accounts + n, 'charge', :day, :at, CAST(NULL AS bigint), '', 'bench'
FROM {each of charges};

INSERT INTO entries (biller_id, transaction_id, ledger_account, amount_minor, currency)
SELECT c.biller_id, c.charge_id, 'client:' || a.number, c.amount_minor, 'RUB'
FROM charges c
JOIN accounts a ON a.biller_id = c.biller_id AND a.account_id = c.account_id
ORDER BY c.charge_id;

INSERT INTO entries (biller_id, transaction_id, ledger_account, amount_minor, currency)
SELECT biller_id, charge_id, 'income:water', -amount_minor, 'RUB'
FROM charges
ORDER BY charge_id;

INSERT INTO payments (biller_id, agreement_id, txn, receipt, account_id, amount_minor, currency,
    service, state, attempts, advance_minor, payer_fee_minor, biller_fee_minor, network_time,
    network_at_us, received_at_us, accounting_date, fields)
SELECT :biller, :agreement, CAST(1000000000 + n AS varchar(20)), :first + n - 1, ((n - 1) % :accounts) +
    1, :paid, 'RUB', '', 'posted', 1, 0, 0, 1, '20261001120000', :at, :at, :day, ''
FROM {each of payments};

INSERT INTO transactions (biller_id, transaction_id, kind, accounting_date, created_at_us, reverses,
    reason, author)
SELECT :biller, :first + n - 1, 'payment', :day, :at, CAST(NULL AS bigint), '', 'agent:bench'
FROM {each of payments};

INSERT INTO entries (biller_id, transaction_id, ledger_account, amount_minor, currency)
SELECT p.biller_id, p.receipt, 'client:' || a.number, -p.amount_minor, 'RUB'
FROM payments p
JOIN accounts a ON a.biller_id = p.biller_id AND a.account_id = p.account_id
ORDER BY p.receipt;

INSERT INTO entries (biller_id, transaction_id, ledger_account, amount_minor, currency)
SELECT biller_id, receipt, 'clearing:bench', amount_minor, 'RUB'
FROM payments
ORDER BY receipt;

INSERT INTO allocations (biller_id, source_id, charge_id, act_id, amount_minor)
SELECT :biller, :first + n - 1, :accounts + ((n - 1) % :accounts) + 1, :first + n - 1, :paid
FROM {each of payments};

INSERT INTO outbox (biller_id, outbox_id, kind, subject, created_at_us)
SELECT :biller, :first + n - 1, 'payment.posted', CAST(:first + n - 1 AS varchar(20)), :at
FROM {each of payments};

INSERT INTO journal (biller_id, journal_id, at_us, actor, verb, subject, digest, detail, position,
    chain)
SELECT :biller, :first + n - 1, :at, 'agent:bench', 'payment.posted', CAST(:first + n - 1 AS
    varchar(20)), {bytes}, '', n, {bytes}
FROM {each of payments};
