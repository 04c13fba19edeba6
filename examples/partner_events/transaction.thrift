// One event of the partner feed: something that happened to a user's account.
// `blocks simulate partner-events` makes files of them.

include "common.thrift"

typedef string CurrencyCode

enum TransactionType {
  card_payment = 1
  transfer = 2
  withdrawal = 3
  refund = 4
  fee = 5
}

enum TransactionStatus {
  pending = 1
  settled = 2
  declined = 3
}

struct Card {
  1: optional string number (pii = "card")
  2: optional string network (label = "public")
}

struct Merchant {
  1: optional string id (label = "public")
  2: optional string name (label = "public")
  3: optional string category (label = "public")
}

struct Item {
  1: optional string sku (label = "public")
  2: optional string description (label = "public")
  3: optional i32 quantity (label = "public")
  4: optional string unit_price (label = "public", type = "decimal128(18, 2)")
}

struct Transaction {
  1: required string event_id (label = "public", key = "true")
  2: optional i64 sequence (label = "public", description = "counts the events of the feed; beyond 2^53")
  3: required string occurred_at (label = "public", event_time = "true", type = "timestamp[us, tz=UTC]")
  4: optional string received_at (label = "public", type = "timestamp[us, tz=UTC]")
  5: optional TransactionType type (label = "public")
  6: optional TransactionStatus status (label = "public")
  7: required common.User user
  8: optional common.Device device
  9: optional Card card
  10: optional Merchant merchant
  11: optional list<Item> items
  12: required string amount (label = "public", type = "decimal128(18, 2)", description = "negative for refunds")
  13: optional CurrencyCode currency (label = "public", description = "ISO 4217")
  14: optional string balance (label = "public", type = "decimal128(18, 2)", description = "after the event")
  15: optional list<string> tags (label = "public")
  16: optional map<string, string> attributes (label = "public")
}
