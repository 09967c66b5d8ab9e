import Foundation
import Testing
import TributaryJSON

/// What a user writes by hand for the fast way.
struct Transfer: Codable, Equatable {
    var amount: Int64
    var from: String
    var notes: [String?]
    var rate: Double?
    var to: Account
}

extension Transfer: JSONReadable, JSONWritable {
    init(json: inout JSONInput) throws {
        var amount: Int64?
        var from: String?
        var notes: [String?]?
        var rate: Double?
        var to: Account?
        try json.beginObject()
        while try json.nextMember() {
            if json.hasKey("amount") {
                amount = try json.read()
            } else if json.hasKey("from") {
                from = try json.read()
            } else if json.hasKey("notes") {
                notes = try json.read()
            } else if json.hasKey("rate") {
                rate = try json.read()
            } else if json.hasKey("to") {
                to = try json.read()
            } else {
                try json.skip()
            }
        }
        self.init(
            amount: try json.required(amount, "amount"), from: try json.required(from, "from"),
            notes: try json.required(notes, "notes"), rate: rate, to: try json.required(to, "to"))
    }

    func write(json: inout JSONOutput) {
        json.beginObject()
        json.member("amount", amount)
        json.member("from", from)
        json.member("notes", notes)
        if let rate { json.member("rate", rate) }
        json.member("to", to)
        json.endObject()
    }
}

extension Account: JSONReadable, JSONWritable {
    init(json: inout JSONInput) throws {
        var id: Int64?
        var owner: String?
        var balance: Double?
        try json.beginObject()
        while try json.nextMember() {
            switch json.key {
            case "id": id = try json.read()
            case "owner": owner = try json.read()
            case "balance": balance = try json.read()
            default: try json.skip()
            }
        }
        self.init(
            id: try json.required(id, "id"), owner: try json.required(owner, "owner"),
            balance: try json.required(balance, "balance"))
    }

    func write(json: inout JSONOutput) {
        json.beginObject()
        json.key("balance")
        json.write(balance)
        json.member("id", id)
        json.member("owner", owner)
        json.endObject()
    }
}

/// Any value, left behind.
struct Skipped: JSONReadable {
    init(json: inout JSONInput) throws { try json.skip() }
}

/// Writes what the closure says.
struct Written: JSONWritable {
    let body: @Sendable (inout JSONOutput) -> Void
    func write(json: inout JSONOutput) { body(&json) }
}

@Suite struct FastTests {
    static let transfer = Transfer(
        amount: -5, from: "a\"\u{1F600}\n", notes: ["x", nil, ""], rate: 0.25,
        to: Account(id: .max, owner: "o", balance: -0.5))

    @Test func `a conformance by hand writes what Codable writes`() throws {
        var options = FastJSONEncoder.Options()
        options.outputFormatting = .sortedKeys
        let encoder = FastJSONEncoder(options: options)
        let bytes = try encoder.write(Self.transfer)
        #expect(bytes == (try encoder.encode(Self.transfer)))
        #expect(try FastJSONDecoder().read(Transfer.self, from: bytes) == Self.transfer)
        var lent = 0
        try encoder.write([1, 2], into: { lent = $0.byteCount })
        #expect(lent == 5)
    }

    @Test func `values of the standard library read and write themselves`() throws {
        func expectRoundTrip<Value: JSONReadable & JSONWritable & Equatable & Codable>(
            _ value: Value, location: SourceLocation = #_sourceLocation
        ) throws {
            let bytes = try FastJSONEncoder().write(value)
            #expect(try FastJSONDecoder().read(Value.self, from: bytes) == value, sourceLocation: location)
            #expect(try FastJSONDecoder().decode(Value.self, from: bytes) == value, sourceLocation: location)
        }
        try expectRoundTrip([Int8.min, .max])
        try expectRoundTrip([Int16.min, .max])
        try expectRoundTrip([Int32.min, .max])
        try expectRoundTrip([Int.min, .max])
        try expectRoundTrip([Int64.min, .max])
        try expectRoundTrip([Int128.min, .max])
        try expectRoundTrip([UInt8.min, .max])
        try expectRoundTrip([UInt16.min, .max])
        try expectRoundTrip([UInt32.min, .max])
        try expectRoundTrip([UInt.min, .max])
        try expectRoundTrip([UInt64.min, .max])
        try expectRoundTrip([UInt128.min, .max])
        try expectRoundTrip([Double.pi, -0.5, 1e300, .leastNonzeroMagnitude])
        try expectRoundTrip([Float.pi, -0.5, 1e30])
        try expectRoundTrip([true, false, nil])
        try expectRoundTrip(["a": [1, 2], "b\n": [], "": [3]])
        try expectRoundTrip([[[String]]]())
    }

    static let refused = [
        "", "{", "{}", "[]", "null", "{\"amount\":1}", "{\"amount\"}", "{\"amount\":1,}", "{\"x\":[1,]}", "{\"x\":01}",
        "{,}", "{\"a\":1 \"b\":2}", "{\"amount\":\"1\"}", "{\"amount\":null}", "{\"amount\":1.5}", "{\"amount\":1e99}",
        "{\"notes\":[1]}", "{\"notes\":[null,]}", "{\"notes\":[,null]}", "{\"from\":\"\\x\"}", "{\"to\":[}",
        "{\"to\":{]}",
        "{\"amount\":99999999999999999999}", "{1:2}", "{\"amount\":nul}", "{\"rate\":tru}",
    ]

    @Test(arguments: refused)
    func `what is wrong is refused with its byte`(text: String) throws {
        let error = #expect(throws: DecodingError.self) {
            try FastJSONDecoder().read(Transfer.self, from: Array(text.utf8))
        }
        switch error {
        case .dataCorrupted(let context), .typeMismatch(_, let context):
            #expect(context.debugDescription.contains("byte"))
        default: Issue.record("\(String(describing: error))")
        }
    }

    @Test func `a text cut or changed anywhere is accepted or refused as by the tape`() throws {
        let bytes = try FastJSONEncoder().write(Self.transfer)
        let decoder = FastJSONDecoder()
        for index in bytes.indices {
            #expect(throws: DecodingError.self) { try decoder.read(Transfer.self, from: Array(bytes[..<index])) }
            for bit in 0..<8 {
                var changed = bytes
                changed[index] ^= 1 << UInt8(bit)
                let fast = try? decoder.read(Transfer.self, from: changed)
                let slow = try? decoder.decode(Transfer.self, from: changed)
                #expect(fast == slow, "\(String(decoding: changed, as: UTF8.self))")
            }
        }
        #expect(throws: DecodingError.self) { try decoder.read(Transfer.self, from: bytes + [0x20, 0x31]) }
        _ = try decoder.read(Transfer.self, from: [0xEF, 0xBB, 0xBF, 0x20] + bytes + [0x20])
    }

    @Test func `512 levels are read, 511 written`() throws {
        for (depth, isRead) in [(512, true), (513, false)] {
            let text = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
            let value = try? FastJSONDecoder().read(Skipped.self, from: Array(text.utf8))
            #expect((value != nil) == isRead)
        }
        for (depth, isWritten) in [(511, true), (512, false), (2000, false)] {
            let value = Written { json in
                for _ in 0..<depth { json.beginArray() }
                for _ in 0..<depth { json.endArray() }
            }
            let bytes = try? FastJSONEncoder().write(value)
            #expect((bytes != nil) == isWritten)
        }
    }

    static let wrong: [Written] = [
        Written { _ in }, Written { $0.beginObject() }, Written { $0.endObject() }, Written { $0.key("a") },
        Written { json in
            json.write(1)
            json.write(2)
        },
        Written { json in
            json.beginObject()
            json.write(1)
            json.endObject()
        },
        Written { json in
            json.beginObject()
            json.key("a")
            json.endObject()
        },
        Written { json in
            json.beginArray()
            json.key("a")
            json.write(1)
            json.endArray()
        },
        Written { json in
            json.beginArray()
            json.endObject()
        },
        Written { $0.write(Double.nan) }, Written { $0.write([-Float.infinity]) },
    ]

    @Test(arguments: wrong.indices)
    func `what is not one JSON value is not written`(index: Int) {
        #expect(throws: EncodingError.self) { try FastJSONEncoder().write(Self.wrong[index]) }
    }
}
