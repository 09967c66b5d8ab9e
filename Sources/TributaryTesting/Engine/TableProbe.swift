import TributaryCore
import TributaryState

/// One entry as arrays.
struct Entry: Equatable, CustomStringConvertible {
    let key: [UInt8]
    let value: [UInt8]

    var description: String { "\(brief(key)): \(brief(value))" }
}

/// Bytes for a message: hexadecimal, cut in the middle.
func brief(_ bytes: [UInt8]) -> String {
    if bytes.count <= 24 { return "[\(bytes.span.bytes.hexadecimal)]" }
    let end = bytes.span.bytes.dropping(bytes.count - 12).hexadecimal
    return "[\(bytes.span.bytes.prefix(8).hexadecimal)..\(end), \(bytes.count) bytes]"
}

/// A table with arrays in place of views.
struct TableProbe {
    let table: any StateTable

    init(_ table: any StateTable) { self.table = table }

    func get(_ key: [UInt8]) throws -> [UInt8]? {
        var value = ByteWriter()
        value.append(0xee)  // what the caller left there must be gone
        let found = try table.get(key.span.bytes, into: &value)
        try expect(found || value.count == 0, "a value for the missing key \(brief(key))")
        return found ? value.copy() : nil
    }

    /// Compares the keys next to one with what walks give.
    func expectNeighbours(_ key: [UInt8]) throws {
        for before in [false, true] {
            for orEqual in [false, true] {
                var found = ByteWriter()
                found.append(0xee)
                let isThere = try table.neighbour(
                    of: key.span.bytes, before: before, orEqual: orEqual, into: &found)
                let walk = try before ? entries(through: key, reverse: true) : entries(from: key)
                let expected = walk.first { orEqual || $0.key != key }?.key
                try expect(
                    (isThere ? found.copy() : nil) == expected,
                    "next to \(brief(key)) is \(isThere ? brief(found.copy()) : "nothing"), not \(expected.map(brief) ?? "nothing")"
                )
            }
        }
    }

    func put(_ key: [UInt8], _ value: [UInt8]) throws { try table.put(key.span.bytes, value.span.bytes) }
    func append(_ key: [UInt8], _ value: [UInt8]) throws { try table.append(key.span.bytes, value.span.bytes) }

    @discardableResult
    func delete(_ key: [UInt8]) throws -> Bool { try table.delete(key.span.bytes) }

    func cursor(from lower: [UInt8]? = nil, through upper: [UInt8]? = nil, reverse: Bool = false) throws -> CursorProbe
    {
        // Optional spans can't be mapped, so each case is written out.
        let cursor: any StateCursor
        if let lower {
            if let upper {
                cursor = try table.cursor(from: lower.span.bytes, through: upper.span.bytes, reverse: reverse)
            } else {
                cursor = try table.cursor(from: lower.span.bytes, through: nil, reverse: reverse)
            }
        } else if let upper {
            cursor = try table.cursor(from: nil, through: upper.span.bytes, reverse: reverse)
        } else {
            cursor = try table.cursor(from: nil, through: nil, reverse: reverse)
        }
        return CursorProbe(cursor)
    }

    /// The entries of a walk from end to end.
    func entries(from lower: [UInt8]? = nil, through upper: [UInt8]? = nil, reverse: Bool = false) throws -> [Entry] {
        let cursor = try cursor(from: lower, through: upper, reverse: reverse)
        defer { cursor.close() }
        return try cursor.rest()
    }

    func expectGet(_ key: [UInt8], is value: [UInt8]?, _ when: String = "") throws {
        let found = try get(key)
        guard found == value else {
            throw Unexpected(
                "get \(brief(key)) gave \(found.map(brief) ?? "nothing"), not \(value.map(brief) ?? "nothing") \(when)")
        }
    }
}

/// A cursor with arrays in place of views.
struct CursorProbe {
    let cursor: any StateCursor

    init(_ cursor: any StateCursor) { self.cursor = cursor }

    func next() throws -> Entry? {
        var key = ByteWriter()
        var value = ByteWriter()
        key.append(0xee)
        value.append(0xee)
        return try cursor.next(key: &key, value: &value) ? Entry(key: key.copy(), value: value.copy()) : nil
    }

    func rest() throws -> [Entry] {
        var entries: [Entry] = []
        while let entry = try next() { entries.append(entry) }
        try expect(try next() == nil, "an entry after the end")
        return entries
    }

    func close() { cursor.close() }
}

/// Throws unless both lists are the same, with the first difference.
func expectSame(_ found: [Entry], _ wanted: [Entry], _ what: String) throws {
    guard found != wanted else { return }
    for index in 0..<min(found.count, wanted.count) where found[index] != wanted[index] {
        throw Unexpected("\(what): entry \(index) is \(found[index]), not \(wanted[index])")
    }
    throw Unexpected("\(what): \(found.count) entries, not \(wanted.count)")
}

/// Throws unless the body throws a ``StoreError`` of one of the codes.
func expectError(_ codes: StoreError.Code..., what: String, _ body: () throws -> Void) throws {
    do {
        try body()
    } catch let error as StoreError {
        try expect(codes.contains(error.code), "\(what): \(error), not \(codes)")
        return
    }
    throw Unexpected("\(what): no error")
}

/// A small generator with a seed (SplitMix64), so that a failure can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}
