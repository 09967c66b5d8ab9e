import TributaryCore
import TributaryState

extension StateEngineConformance {
    static let randomChecks: [Check] = [
        Check(name: "random operations do what a sorted array does") { suite in
            try RandomRun(suite).run(operations: 4000)
        }
    ]
}

/// Random operations on an engine and, in the same order, on sorted arrays.
private struct RandomRun {
    private struct OpenCursor {
        let probe: CursorProbe
        var rest: ArraySlice<Entry>
    }

    /// Tables by name, each sorted by key; and metadata.
    private struct Model {
        var tables: [String: [Entry]] = [:]
        var metadata: [String: [UInt8]] = [:]
    }

    private let suite: StateEngineConformance
    private let engine: any StateEngine
    private var generator: SeededGenerator
    private var model = Model()
    private var committed = Model()
    private var cursors: [OpenCursor] = []
    private var step = 0

    init(_ suite: StateEngineConformance) throws {
        self.suite = suite
        engine = try suite.makeEngine()
        generator = SeededGenerator(seed: suite.seed)
    }

    consuming func run(operations: Int) throws {
        let engine = engine
        defer { engine.close() }
        do {
            while step < operations {
                try operate()
                step += 1
            }
            try compareAll()
        } catch {
            throw Unexpected("seed \(suite.seed), operation \(step): \(error)")
        }
    }

    private mutating func random(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &generator) }

    private mutating func operate() throws {
        let name = ["one", "two", "three"][random(3)]
        switch random(1000) {
        case 0..<350: try put(name)
        case 350..<500: try delete(name)
        case 500..<650: try get(name)
        case 650..<700: try walk(name)
        case 700..<760: try openCursor(name)
        case 760..<900: try stepCursor()
        case 900..<950: try closeCursor()
        case 950..<970: try metadata()
        case 970..<975: try drop(name)
        case 975..<985: try commit()
        case 985..<992: try abort()
        default: try append(name)
        }
    }

    private mutating func key() -> [UInt8] {
        let short = (0..<random(4)).map { _ in UInt8([0, 1, 0x61, 0xff][random(4)]) }
        switch random(10) {
        case 0..<6: return short
        case 6: return short + [UInt8](repeating: 0x61, count: [499, 500, 501, 502, 503, 504][random(6)])
        default: return [UInt8](repeating: [0, 0x61, 0xff][random(3)], count: 504 - random(2)) + short
        }
    }

    private mutating func value() -> [UInt8] {
        let length = random(20) == 0 ? random(9000) : random(60)
        return [UInt8](repeating: UInt8(random(256)), count: length)
    }

    private func table(_ name: String) throws -> TableProbe { TableProbe(try engine.table(name)) }

    private func index(_ entries: [Entry], _ key: [UInt8]) -> (Int, Bool) {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].key.lexicographicallyPrecedes(key) { low = middle + 1 } else { high = middle }
        }
        return (low, low < entries.count && entries[low].key == key)
    }

    private mutating func put(_ name: String) throws {
        let new = Entry(key: key(), value: value())
        try table(name).put(new.key, new.value)
        let (place, found) = index(model.tables[name, default: []], new.key)
        if found {
            model.tables[name, default: []][place] = new
        } else {
            model.tables[name, default: []].insert(new, at: place)
        }
    }

    private mutating func delete(_ name: String) throws {
        let old = key()
        let was = try table(name).delete(old)
        let (place, found) = index(model.tables[name, default: []], old)
        try expect(was == found, "delete of \(brief(old)) said \(was)")
        if found { model.tables[name, default: []].remove(at: place) }
    }

    private mutating func get(_ name: String) throws {
        let wanted = key()
        let (place, found) = index(model.tables[name, default: []], wanted)
        try table(name).expectGet(wanted, is: found ? model.tables[name, default: []][place].value : nil)
        let count = try table(name).table.count()
        try expect(count == model.tables[name, default: []].count, "count of \(name) is \(count)")
    }

    private mutating func append(_ name: String) throws {
        let new = Entry(key: random(2) == 0 ? key() : [0xff, 0xff] + key(), value: value())
        let last = model.tables[name]?.last?.key
        if let last, !last.lexicographicallyPrecedes(new.key) {
            let table = try table(name)
            try expectError(.invalidRequest, what: "append of \(brief(new.key))") {
                try table.append(new.key, new.value)
            }
        } else {
            try table(name).append(new.key, new.value)
            model.tables[name, default: []].append(new)
        }
    }

    /// A range with random ends, and what the model has in it.
    private mutating func range(_ name: String) -> (lower: [UInt8]?, upper: [UInt8]?, reverse: Bool, wanted: [Entry]) {
        let lower = random(3) == 0 ? nil : key()
        let upper = random(3) == 0 ? nil : key()
        let reverse = random(2) == 0
        var wanted = model.tables[name, default: []]
        if let lower { wanted.removeAll { $0.key.lexicographicallyPrecedes(lower) } }
        if let upper { wanted.removeAll { upper.lexicographicallyPrecedes($0.key) } }
        return (lower, upper, reverse, reverse ? wanted.reversed() : wanted)
    }

    private mutating func walk(_ name: String) throws {
        let (lower, upper, reverse, wanted) = range(name)
        let found = try table(name).entries(from: lower, through: upper, reverse: reverse)
        try expectSame(found, wanted, "a walk over \(name)")
    }

    private mutating func openCursor(_ name: String) throws {
        guard cursors.count < 6 else { return try closeCursor() }
        let (lower, upper, reverse, wanted) = range(name)
        let probe = try table(name).cursor(from: lower, through: upper, reverse: reverse)
        cursors.append(OpenCursor(probe: probe, rest: wanted[...]))
    }

    private mutating func stepCursor() throws {
        guard !cursors.isEmpty else { return }
        let chosen = random(cursors.count)
        for _ in 0..<random(5) {
            let found = try cursors[chosen].probe.next()
            let wanted = cursors[chosen].rest.popFirst()
            try expect(found == wanted, "a cursor gave \(String(describing: found)), not \(String(describing: wanted))")
        }
    }

    private mutating func closeCursor() throws {
        guard !cursors.isEmpty else { return }
        cursors.remove(at: random(cursors.count)).probe.close()
    }

    private mutating func metadata() throws {
        let key = "key-\(random(5))"
        let value = random(4) == 0 ? nil : value()
        try engine.setMetadata(key, value)
        model.metadata[key] = value
        let keys = try engine.metadataKeys(prefix: "key").sorted()
        try expect(keys == model.metadata.keys.sorted(), "metadata keys are \(keys)")
    }

    private mutating func drop(_ name: String) throws {
        try engine.dropTable(name)
        model.tables[name] = nil
    }

    private mutating func commit() throws {
        try engine.commit()
        committed = model
        cursors.removeAll()
        try compareAll()
    }

    private mutating func abort() throws {
        engine.abort()
        model = committed
        cursors.removeAll()
        try compareAll()
    }

    private mutating func compareAll() throws {
        for cursor in cursors { cursor.probe.close() }
        cursors.removeAll()
        for (name, entries) in model.tables {
            try expectSame(try table(name).entries(), entries, "table \(name)")
            try expectSame(try table(name).entries(reverse: true), entries.reversed(), "table \(name) in reverse")
            try expect(try table(name).table.count() == entries.count, "count of \(name)")
        }
        for (key, value) in model.metadata {
            try expect(try engine.metadata(key) == value, "metadata \(key)")
        }
    }
}
