import TributaryCore
import TributaryState

extension StateEngineConformance {
    static let copyChecks: [Check] = [
        Check(name: "copies of a range are the entries that a walk over it gives") { suite in
            try suite.withTable { _, table in
                var keys: [[UInt8]] = []
                for number in 0..<500 { keys.append([UInt8(number / 256), UInt8(number % 256)]) }
                // Beyond what some engines take as a key: two that differ in the last byte.
                keys += [[UInt8](repeating: 1, count: 600), [UInt8](repeating: 1, count: 599) + [2]]
                for key in keys { try table.put(key, value(of: key)) }
                keys.sort { $0.lexicographicallyPrecedes($1) }
                let bounds: [[UInt8]] = [[], [0, 3], [0, 255], [1], [1, 1], [1, 1, 1], [1, 2], [9]]
                for lower in bounds {
                    for upper in bounds.map(Optional.some) + [nil] {
                        for limit in [1, 7, Int.max] {
                            let wanted = keys.filter { key in
                                !key.lexicographicallyPrecedes(lower)
                                    && !(upper?.lexicographicallyPrecedes(key) ?? false)
                            }
                            try expectSame(
                                try table.copies(from: lower, through: upper, limit: limit),
                                entries(Array(wanted.prefix(limit))), "copies from \(lower) through \(upper ?? [])")
                        }
                    }
                }
            }
        },
        Check(name: "copies see writes while a cursor is open") { suite in
            try suite.withTable { _, table in
                for number in 0..<10 { try table.put(key(number), value(of: key(number))) }
                let cursor = try table.cursor()
                defer { cursor.close() }
                try table.delete(key(1))
                try table.put(key(2), [7])
                let copies = try table.copies(from: key(0), through: key(3), limit: Int.max)
                try expectSame(copies, try table.entries(from: key(0), through: key(3)), "the copies")
                try expect(copies.count == 3, "\(copies.count) copies, not 3")
            }
        },
    ]
}

extension TableProbe {
    /// The entries of a range as copies, behind one that is there already.
    fileprivate func copies(from lower: [UInt8], through upper: [UInt8]?, limit: Int) throws -> [Entry] {
        let rows = CopiedRows()
        let first: [UInt8] = [0xee]
        rows.add(first.span.bytes, first.span.bytes)
        if let upper {
            try table.copyRows(from: lower.span.bytes, through: upper.span.bytes, limit: limit, into: rows)
        } else {
            try table.copyRows(from: lower.span.bytes, through: nil, limit: limit, into: rows)
        }
        let found = (0..<rows.count).map {
            Entry(key: [UInt8](copying: rows.key($0)), value: [UInt8](copying: rows.value($0)))
        }
        try expect(found.first == Entry(key: first, value: first), "the row that was there has gone")
        return Array(found.dropFirst())
    }
}
