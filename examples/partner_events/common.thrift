// What several messages of the partner share. An annotation says what a field means: `pii` and `label` who may see it,
// `type` which Arrow type its text or number holds.

typedef string UserId
typedef string CountryCode

struct Address {
  1: optional string street (pii = "address")
  2: optional string city (pii = "address")
  3: optional string postcode (pii = "postcode")
  4: optional CountryCode country (label = "public", description = "ISO 3166-1, two letters")
}

struct User {
  1: required UserId id (pii = "user_id")
  2: optional string name (pii = "name")
  3: optional string email (pii = "email")
  4: optional string phone (pii = "phone", description = "E.164")
  5: optional string national_id (pii = "national_id")
  6: optional string birth_date (pii = "birth_date", type = "date32[day]")
  7: optional Address address
}

struct Device {
  1: optional string id (pii = "device")
  2: optional string os (label = "public")
  3: optional string ip (pii = "ip", description = "IPv4 or IPv6")
  4: optional string user_agent (pii = "device")
}
