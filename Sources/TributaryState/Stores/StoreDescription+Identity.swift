extension StoreDescription {
    /// What an identity says of a store's rows (``identity``); nil for a text that is none, or of a kind that isn't known.
    ///
    /// What an identity doesn't tell, whether there is a cache or a changelog, is as by default.
    public init?(name: String, identity text: String) {
        var words = text.split(separator: " ").map { String($0) }
        guard words.count >= 2, words.removeFirst() == "1" else { return nil }
        let kindName = words.removeFirst()
        var numbers: [String: Int64] = [:]
        while let word = words.first {
            let parts = word.split(separator: "=", omittingEmptySubsequences: false)
            guard parts.count == 2, let number = Int64(parts[1]), Self.numbers.contains(String(parts[0])) else { break }
            numbers[String(parts[0])] = number
            words.removeFirst()
        }
        let kind: Kind
        switch kindName {
        case "keyValue": kind = .keyValue
        case "timestampedKeyValue": kind = .timestampedKeyValue
        case "window":
            guard let retention = numbers["retention"] else { return nil }
            kind = .window(
                retention: retention, size: numbers["size"] ?? 0, retainsDuplicates: numbers["duplicates"] == 1,
                timestamped: numbers["timestamped"] == 1)
        case "session":
            guard let retention = numbers["retention"] else { return nil }
            kind = .session(retention: retention)
        case "versioned":
            guard let history = numbers["history"] else { return nil }
            kind = .versioned(history: history)
        case "list": kind = .list
        case "subscriptions": kind = .subscriptions
        case "leastRecentlyUsed":
            guard let maximum = numbers["maximum"] else { return nil }
            kind = .leastRecentlyUsed(maximum: Int(clamping: maximum))
        case "joinBuffer": kind = .joinBuffer
        case "suppression": kind = .suppression
        default: return nil
        }
        self.init(name: name, kind: kind)
        isOrderedByTime = numbers["times"] == 1
        if words.first == "untimed" {
            keepsTimestamps = false
            words.removeFirst()
        }
        serdes = words.joined(separator: " ")
    }

    private static let numbers: Set = [
        "retention", "size", "times", "duplicates", "timestamped", "history", "maximum",
    ]
}
