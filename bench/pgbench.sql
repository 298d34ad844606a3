-- One payment in one statement: every row that kvit writes for it, with the claim that makes it one.
-- (A colon before a name is a variable of pgbench, in quotation marks too.)
\set number random(1, :accounts)
\set amount random(100, 9999)
\set txn random(1, 9000000000000000000)
WITH claim AS (
    SELECT nextval('book_ids') AS receipt
), account AS (
    SELECT account_id, number FROM accounts
    WHERE biller_id = 'bench' AND number = lpad((:number)::text, 8, '0') AND status = 'active'
    FOR NO KEY UPDATE
), charge AS (
    SELECT c.charge_id FROM charges c, account a
    WHERE c.biller_id = 'bench' AND c.account_id = a.account_id AND c.open_minor > 0
    ORDER BY c.due_on, c.charge_id LIMIT 1
), payment AS (
    INSERT INTO payments (biller_id, agreement_id, txn, receipt, account_id, amount_minor, currency, service, state,
        attempts, advance_minor, payer_fee_minor, biller_fee_minor, network_time, network_at_us, received_at_us,
        accounting_date, fields)
    SELECT 'bench', 'bench', 'p' || :txn, receipt, account_id, :amount, 'RUB', '', 'posted', 1, 0, 0, 1,
        '20261123120000', 1790000000000000, 1790000000000000, '2026-11-23', ''
    FROM claim, account
    ON CONFLICT DO NOTHING
    RETURNING receipt, account_id, amount_minor
), tx AS (
    INSERT INTO transactions (biller_id, transaction_id, kind, accounting_date, created_at_us, reverses, reason, author)
    SELECT 'bench', receipt, 'payment', '2026-11-23', 1790000000000000, NULL, '', ('agent' || ':' || 'bench') FROM payment
), debit AS (
    INSERT INTO entries (biller_id, transaction_id, ledger_account, amount_minor, currency)
    SELECT 'bench', receipt, ('clearing' || ':' || 'bench'), amount_minor, 'RUB' FROM payment
    UNION ALL
    SELECT 'bench', receipt, 'client:' || number, -amount_minor, 'RUB' FROM payment, account
), allocation AS (
    INSERT INTO allocations (biller_id, source_id, charge_id, act_id, amount_minor)
    SELECT 'bench', receipt, charge_id, receipt, amount_minor FROM payment, charge
), balance AS (
    UPDATE accounts a SET balance_minor = a.balance_minor - p.amount_minor FROM payment p
    WHERE a.biller_id = 'bench' AND a.account_id = p.account_id
), open_sum AS (
    UPDATE charges c SET open_minor = c.open_minor - p.amount_minor FROM payment p, charge x
    WHERE c.biller_id = 'bench' AND c.charge_id = x.charge_id
), told AS (
    INSERT INTO outbox (biller_id, outbox_id, kind, subject, created_at_us)
    SELECT 'bench', receipt, 'payment.posted', receipt::text, 1790000000000000 FROM payment
), act AS (
    INSERT INTO journal (biller_id, journal_id, at_us, actor, verb, subject, digest, detail)
    SELECT 'bench', receipt, 1790000000000000, ('agent' || ':' || 'bench'), 'payment.posted', receipt::text,
        sha256(('payment' || receipt)::bytea), '' FROM payment
)
SELECT receipt FROM payment;
