"""Payments for the accounting program: 1CClientBankExchange, CSV and XLSX."""
