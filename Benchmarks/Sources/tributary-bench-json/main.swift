import Foundation
import TributaryJSON

struct Account: Codable {
    var id: Int64
    var owner: String
    var balance: Double
}

struct Order: Codable {
    var order: Int64
    var customer: String
    var item: String
    var quantity: Int
    var price: Double
    var note: String?
}

extension Account: JSONReadable, JSONWritable {
    init(json: inout JSONInput) throws {
        var id: Int64?
        var owner: String?
        var balance: Double?
        try json.beginObject()
        while try json.nextMember() {
            if json.hasKey("balance") {
                balance = try json.read()
            } else if json.hasKey("id") {
                id = try json.read()
            } else if json.hasKey("owner") {
                owner = try json.read()
            } else {
                try json.skip()
            }
        }
        self.init(
            id: try json.required(id, "id"), owner: try json.required(owner, "owner"),
            balance: try json.required(balance, "balance"))
    }

    func write(json: inout JSONOutput) {
        json.beginObject()
        json.member("balance", balance)
        json.member("id", id)
        json.member("owner", owner)
        json.endObject()
    }
}

extension Order: JSONReadable, JSONWritable {
    init(json: inout JSONInput) throws {
        var order: Int64?
        var customer: String?
        var item: String?
        var quantity: Int?
        var price: Double?
        var note: String?
        try json.beginObject()
        while try json.nextMember() {
            if json.hasKey("customer") {
                customer = try json.read()
            } else if json.hasKey("item") {
                item = try json.read()
            } else if json.hasKey("note") {
                note = try json.read()
            } else if json.hasKey("order") {
                order = try json.read()
            } else if json.hasKey("price") {
                price = try json.read()
            } else if json.hasKey("quantity") {
                quantity = try json.read()
            } else {
                try json.skip()
            }
        }
        self.init(
            order: try json.required(order, "order"), customer: try json.required(customer, "customer"),
            item: try json.required(item, "item"), quantity: try json.required(quantity, "quantity"),
            price: try json.required(price, "price"), note: note)
    }

    func write(json: inout JSONOutput) {
        json.beginObject()
        json.member("customer", customer)
        json.member("item", item)
        if let note { json.member("note", note) }
        json.member("order", order)
        json.member("price", price)
        json.member("quantity", quantity)
        json.endObject()
    }
}

/// Nanoseconds of CPU that this process has used.
func processorTime() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
}

/// The ways to do one thing, in turn: the least time of 21 rounds, in nanoseconds of CPU a call.
func times(_ calls: Int, _ bodies: [() throws -> Int]) throws -> [Double] {
    var best = [Double](repeating: .infinity, count: bodies.count)
    var check = 0
    for round in 0..<21 {
        for index in round % 2 == 0 ? Array(bodies.indices) : bodies.indices.reversed() {
            let start = processorTime()
            for _ in 0..<calls { check &+= try bodies[index]() }
            best[index] = min(best[index], (processorTime() - start) / Double(calls))
        }
    }
    precondition(check != 1)
    return best
}

/// Foundation and ours side by side; a type that reads and writes itself is done by hand too.
struct Comparison {
    let name: String
    var decodes: [() throws -> Int]
    var encodes: [() throws -> Int]

    private static let ways = ["Foundation", "Codable", "by hand"]

    init<Value: Codable>(_ name: String, _ value: Value) throws {
        self.name = name
        let foundationDecoder = JSONDecoder()
        let foundationEncoder = JSONEncoder()
        foundationEncoder.outputFormatting = [.sortedKeys]
        let encoder = Self.encoder()
        let decoder = FastJSONDecoder()
        let data = try foundationEncoder.encode(value)
        let bytes = try encoder.encode(value)
        precondition([UInt8](data) == bytes)
        decodes = [
            {
                _ = try foundationDecoder.decode(Value.self, from: data)
                return 2
            },
            {
                _ = try decoder.decode(Value.self, from: bytes)
                return 2
            },
        ]
        encodes = [
            { try foundationEncoder.encode(value).count },
            {
                var count = 0
                try encoder.encode(value, into: { count = $0.byteCount })
                return count
            },
        ]
    }

    init<Value: Codable & JSONReadable & JSONWritable>(byHand name: String, _ value: Value) throws {
        try self.init(name, value)
        let encoder = Self.encoder()
        let decoder = FastJSONDecoder()
        let bytes = try encoder.encode(value)
        let written = try encoder.write(value)
        precondition(written == bytes)
        decodes.append {
            _ = try decoder.read(Value.self, from: bytes)
            return 2
        }
        encodes.append {
            var count = 0
            try encoder.write(value, into: { count = $0.byteCount })
            return count
        }
    }

    private static func encoder() -> FastJSONEncoder {
        var options = FastJSONEncoder.Options()
        options.outputFormatting = [.sortedKeys]
        return FastJSONEncoder(options: options)
    }

    func run() throws {
        // For callgrind: `tributary-bench-json decode 1 Order` runs the second way of one value alone.
        let arguments = CommandLine.arguments
        if arguments.count > 2, let way = Int(arguments[2]) {
            guard arguments.count == 3 || arguments[3] == name else { return }
            let ways = arguments[1] == "decode" ? decodes : encodes
            if way < ways.count { for _ in 0..<10_000 { _ = try ways[way]() } }
            return
        }
        for (what, ways) in [("decode", decodes), ("encode", encodes)] {
            let times = try times(5_000, ways)
            let shown = zip(Self.ways, times).map { way, time in
                let ratio = (times[0] / time * 10).rounded() / 10
                return way == Self.ways[0] ? "\(way) \(Int(time)) ns" : "\(way) \(Int(time)) ns (\(ratio)x)"
            }
            print("\(name) \(what): \(shown.joined(separator: ", "))")
        }
    }
}

try Comparison(byHand: "Account", Account(id: 1_234_567, owner: "Maria Smith", balance: 1234.56)).run()
try Comparison(
    byHand: "Order",
    Order(
        order: 987_654_321, customer: "customer-000123", item: "A rather long name of an item", quantity: 3,
        price: 19.99,
        note: nil)
).run()
try Comparison(
    "Transaction",
    Bank.Transaction(
        id: "t000000000123456", account: "key-456", cents: -4_321, kind: "withdrawal", at: 1_600_000_123_456)
).run()
try Comparison("Balance", Bank.Balance(owner: "Owner 123", cents: 1_234_567, postings: 89)).run()
