import TributaryCore
import TributaryState

/// The even keys below 200, so that there is room between them.
private let evenKeys = (0..<100).map { key($0 * 2) }

extension StateEngineConformance {
    /// A table with the even keys and some long ones, and a walk over it that has given `steps` entries.
    private func withWalk(
        steps: Int, reverse: Bool = false, _ body: (any StateEngine, TableProbe, CursorProbe, [Entry]) throws -> Void
    ) throws {
        try withTable { engine, table in
            let keys = evenKeys + ["", "a", "aa", "b"].map { [UInt8](repeating: 0x40, count: 504) + Array($0.utf8) }
            for key in keys { try table.put(key, value(of: key)) }
            let cursor = try table.cursor(reverse: reverse)
            defer { cursor.close() }
            let all = reverse ? entries(keys).reversed() : entries(keys)
            for step in 0..<steps { try expect(try cursor.next() == all[step], "step \(step) before any write") }
            try body(engine, table, cursor, Array(all[steps...]))
        }
    }

    static let cursorChecks: [Check] = [
        Check(name: "the neighbours of a key are those that a walk gives, with cursors open and without") { suite in
            for steps in [0, 10] {
                try suite.withWalk(steps: steps) { _, table, cursor, _ in
                    if steps == 0 { cursor.close() }
                    for number in stride(from: 3, to: 200, by: 6) { try table.put(key(number), [1]) }
                    for number in stride(from: 4, to: 200, by: 10) { try table.delete(key(number)) }
                    let long = [UInt8](repeating: 0x40, count: 504)
                    let probes =
                        (0..<205).map { key($0) } + [[], [0xff, 0xff], long, long + [0x61], long + [0x61, 1]]
                    for probe in probes {
                        try table.expectNeighbours(probe)
                    }
                }
            }
        },
        Check(name: "a cursor does not see later puts, ahead or behind") { suite in
            for reverse in [false, true] {
                try suite.withWalk(steps: 10, reverse: reverse) { _, table, cursor, rest in
                    for number in stride(from: 1, to: 200, by: 2) { try table.put(key(number), [1]) }
                    for key in evenKeys { try table.put(key, [9, 9, 9, 9, 9, 9]) }
                    let long = [UInt8](repeating: 0x40, count: 504)
                    try table.put(long + [0x61, 0], [1])
                    try table.put(long + [0x61], [2])
                    try table.put([0xff, 0xff, 0xff], [3])
                    try table.put([], [4])
                    try expectSame(try cursor.rest(), rest, "the walk")
                }
            }
        },
        Check(name: "a cursor does not see later deletes, also of the entry just ahead") { suite in
            for reverse in [false, true] {
                try suite.withWalk(steps: 10, reverse: reverse) { _, table, cursor, rest in
                    var left = rest
                    while let entry = left.first {
                        try expect(try table.delete(entry.key), "\(brief(entry.key)) was not there")
                        try table.expectGet(entry.key, is: nil, "after its delete")
                        try expect(try cursor.next() == entry, "the deleted entry \(entry) was not given")
                        left.removeFirst()
                    }
                    try expect(try cursor.next() == nil, "an entry after the end")
                }
            }
        },
        Check(name: "a walk that deletes what it was given gives every entry once") { suite in
            for reverse in [false, true] {
                try suite.withWalk(steps: 0, reverse: reverse) { _, table, cursor, rest in
                    var given: [Entry] = []
                    while let entry = try cursor.next() {
                        given.append(entry)
                        try table.delete(entry.key)
                    }
                    try expectSame(given, rest, "the walk")
                    cursor.close()
                    try expectSame(try table.entries(), [], "after the walk")
                    try expect(try table.table.count() == 0, "count is \(try table.table.count()), not 0")
                }
            }
        },
        Check(name: "reads by key and counts see writes while a cursor is open") { suite in
            try suite.withWalk(steps: 3) { _, table, cursor, rest in
                let count = try table.table.count()
                try table.put(key(1), [1])
                try table.expectGet(key(1), is: [1])
                try table.put(key(2), [2])
                try table.expectGet(key(2), is: [2])
                try expect(try table.table.count() == count + 1, "count is \(try table.table.count())")
                try expect(try table.delete(key(4)), "key 4 was not there")
                try expect(try !table.delete(key(4)), "key 4 was there twice")
                try table.expectGet(key(4), is: nil)
                try expect(try table.delete(key(1)), "key 1 was not there")
                try expect(try table.table.count() == count - 1, "count is \(try table.table.count())")
                try table.put(key(4), [4])
                try table.expectGet(key(4), is: [4])
                try expect(try table.table.count() == count, "count is \(try table.table.count())")
                try expectSame(try cursor.rest(), rest, "the walk")
            }
        },
        Check(name: "writes made while a cursor was open stay when it closes") { suite in
            try suite.withWalk(steps: 5) { _, table, cursor, _ in
                var model = Dictionary(uniqueKeysWithValues: try table.entries().map { ($0.key, $0.value) })
                for number in 0..<200 where number % 3 == 0 {
                    try table.put(key(number), [7])
                    model[key(number)] = [7]
                }
                for number in 0..<200 where number % 5 == 0 {
                    try table.delete(key(number))
                    model[key(number)] = nil
                }
                cursor.close()
                let wanted = model.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { Entry(key: $0, value: $1) }
                try expectSame(try table.entries(), wanted, "after closing")
                try expect(try table.table.count() == wanted.count, "count is \(try table.table.count())")
            }
        },
        Check(name: "several cursors each see the table as it was when they were made") { suite in
            try suite.withTable { _, table in
                var cursors: [(CursorProbe, [Entry])] = []
                var keys: [[UInt8]] = []
                for round in 0..<6 {
                    for number in 0..<20 {
                        let new = key(number * 6 + round)
                        try table.put(new, value(of: new))
                        keys.append(new)
                    }
                    if round > 2 { try table.delete(keys.removeFirst()) }
                    let sorted = keys.sorted { $0.lexicographicallyPrecedes($1) }
                    let reverse = round % 2 == 1
                    let cursor = try table.cursor(reverse: reverse)
                    cursors.append((cursor, reverse ? entries(sorted).reversed() : entries(sorted)))
                }
                // One step each in turn, then each to its end, closed in an order of their own.
                for index in cursors.indices {
                    try expect(try cursors[index].0.next() == cursors[index].1.removeFirst(), "the first of \(index)")
                }
                for index in [2, 0, 5, 1, 4, 3] {
                    try expectSame(try cursors[index].0.rest(), cursors[index].1, "cursor \(index)")
                    cursors[index].0.close()
                    try table.put([0xee, UInt8(index)], [1])
                }
                try expect(try table.table.count() == keys.count + 6, "count is \(try table.table.count())")
            }
        },
        Check(name: "a cursor over one table does not hold up another") { suite in
            try suite.withWalk(steps: 5) { engine, _, cursor, rest in
                let other = TableProbe(try engine.table("other"))
                for number in 0..<500 { try other.put(key(number), [UInt8](repeating: 1, count: 100)) }
                try expect(try other.table.count() == 500, "count is \(try other.table.count())")
                try expectSame(try cursor.rest(), rest, "the walk")
            }
        },
        Check(name: "a cursor does not see its table dropped and filled anew") { suite in
            try suite.withWalk(steps: 5) { engine, table, cursor, rest in
                try engine.dropTable("table")
                try expect(try !engine.tableNames().contains("table"), "a dropped table has a name")
                try expect(try cursor.next() == rest.first, "the entry after the drop")
                let again = TableProbe(try engine.table("table"))
                try expect(try again.table.count() == 0, "count is \(try again.table.count()), not 0")
                try again.expectGet(key(4), is: nil)
                try again.put(key(1), [1])
                try expectSame(try cursor.rest(), Array(rest.dropFirst()), "the walk")
                cursor.close()
                try expectSame(try again.entries(), [Entry(key: key(1), value: [1])], "the new table")
            }
        },
        Check(name: "closing a cursor twice is nothing, reading a closed one an error") { suite in
            try suite.withWalk(steps: 1) { _, table, cursor, _ in
                cursor.close()
                cursor.close()
                try expectError(.closed, what: "next after close") { _ = try cursor.next() }
                try table.put(key(1), [1])
                try table.expectGet(key(1), is: [1])
            }
        },
        Check(name: "commit and abort end cursors") { suite in
            for ends in [false, true] {
                try suite.withTable { engine, table in
                    for key in evenKeys { try table.put(key, value(of: key)) }
                    try engine.commit()
                    let cursor = try table.cursor()
                    try expect(try cursor.next() == entries(evenKeys).first, "the first entry")
                    try table.put(key(1), [1])
                    if ends { try engine.commit() } else { engine.abort() }
                    try expectError(.closed, what: "next after commit or abort") { _ = try cursor.next() }
                    cursor.close()
                    try table.expectGet(key(1), is: ends ? [1] : nil)
                    try table.put(key(3), [3])
                    try expect(try table.entries().count == (ends ? 102 : 101), "a walk after commit or abort")
                }
            }
        },
    ]
}
