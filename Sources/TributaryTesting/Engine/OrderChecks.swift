import TributaryCore
import TributaryState

/// Keys that an engine might put into a wrong order: prefixes of each other, high bytes, long ones with the same first 504 bytes.
let awkwardKeys: [[UInt8]] = {
    var keys: [[UInt8]] = [
        [], [0], [0, 0], [0, 1], [0x61], [0x7f], [0x80], [0xff], [0xff, 0], [0xff, 0xff], [1, 0xff, 0, 0xff],
        [1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7, 0], [1, 2, 3, 4, 5, 6, 7, 0, 0], [1, 2, 3, 4, 5, 6, 7, 8],
    ]
    for fill: UInt8 in [0x00, 0x61, 0xff] {
        let shared = [UInt8](repeating: fill, count: 504)
        for length in [300, 502, 503, 504] { keys.append([UInt8](repeating: fill, count: length)) }
        for suffix: [UInt8] in [
            [0], [1], [0x61], [0x61, 0x61], [0xff], [0xff, 0], [0, 0, 0], [0x7f, 1], [0x80],
            [UInt8](repeating: 0x61, count: 7), [UInt8](repeating: 0x61, count: 8),
            [UInt8](repeating: 0x62, count: 4496), [UInt8](repeating: 0x62, count: 200),
        ] {
            keys.append(shared + suffix)
        }
        // The neighbours of the shared prefix, shorter and longer than it.
        keys.append(Array(shared.dropLast()) + [0x62])
        keys.append(Array(shared.dropLast()) + [0x60, 1])
        keys.append(Array(shared.dropLast(2)) + [0x62])
    }
    var seen: Set<[UInt8]> = []
    return keys.filter { seen.insert($0).inserted }.sorted { $0.lexicographicallyPrecedes($1) }
}()

func entries(_ keys: some Sequence<[UInt8]>) -> [Entry] { keys.map { Entry(key: $0, value: value(of: $0)) } }

func value(of key: [UInt8]) -> [UInt8] { [UInt8(key.count & 0xff), UInt8(key.count >> 8), key.last ?? 0] }

extension StateEngineConformance {
    static let orderChecks: [Check] = [
        Check(name: "walks go in unsigned lexicographic order, both ways") { suite in
            try suite.withTable { engine, table in
                var generator = SeededGenerator(seed: 5)
                for key in awkwardKeys.shuffled(using: &generator) { try table.put(key, value(of: key)) }
                let wanted = entries(awkwardKeys)
                try expectSame(try table.entries(), wanted, "forward")
                try expectSame(try table.entries(reverse: true), wanted.reversed(), "reverse")
                try engine.commit()
                try expectSame(try table.entries(), wanted, "forward after a commit")
                try expectSame(try table.entries(reverse: true), wanted.reversed(), "reverse after a commit")
            }
        },
        Check(name: "bounds are inclusive, and open without one, for keys there or not") { suite in
            try suite.withTable { _, table in
                // Every second key is in the table; all serve as bounds.
                let present = awkwardKeys.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
                for key in present { try table.put(key, value(of: key)) }
                for (low, lower) in awkwardKeys.enumerated() {
                    let above = entries(present.filter { !$0.lexicographicallyPrecedes(lower) })
                    let below = entries(present.filter { !lower.lexicographicallyPrecedes($0) })
                    try expectSame(try table.entries(from: lower), above, "from \(brief(lower))")
                    try expectSame(try table.entries(through: lower), below, "through \(brief(lower))")
                    try expectSame(
                        try table.entries(through: lower, reverse: true), below.reversed(), "down from \(brief(lower))")
                    try expectSame(
                        try table.entries(from: lower, reverse: true), above.reversed(), "down to \(brief(lower))")
                    for (high, upper) in awkwardKeys.enumerated() where (low + high) % 5 == 0 || abs(low - high) < 3 {
                        let wanted = entries(
                            present.filter {
                                !$0.lexicographicallyPrecedes(lower) && !upper.lexicographicallyPrecedes($0)
                            })
                        let what = "\(brief(lower)) through \(brief(upper))"
                        try expectSame(try table.entries(from: lower, through: upper), wanted, what)
                        try expectSame(
                            try table.entries(from: lower, through: upper, reverse: true), wanted.reversed(),
                            "reverse " + what)
                    }
                }
            }
        },
        Check(name: "an empty table and bounds that cross give nothing") { suite in
            try suite.withTable { _, table in
                for reverse in [false, true] {
                    try expectSame(try table.entries(reverse: reverse), [], "an empty table")
                    try expectSame(try table.entries(from: [1], through: [2], reverse: reverse), [], "an empty table")
                }
                for number in 0..<10 { try table.put(key(number), []) }
                for reverse in [false, true] {
                    try expectSame(
                        try table.entries(from: key(7), through: key(3), reverse: reverse), [], "from above through")
                    try expectSame(
                        try table.entries(from: key(3) + [0], through: key(3) + [9], reverse: reverse), [], "a gap")
                    try expectSame(try table.entries(from: [9], reverse: reverse), [], "beyond the end")
                }
            }
        },
        Check(name: "many keys that share 504 bytes stay ordered through puts and deletes") { suite in
            try suite.withTable { _, table in
                var generator = SeededGenerator(seed: 11)
                let shared = [UInt8](repeating: 0x2f, count: 504)
                var model: [[UInt8]: [UInt8]] = [:]
                for _ in 0..<600 {
                    let length = Int.random(in: 0...5, using: &generator)
                    let suffix = (0..<length).map { _ in UInt8.random(in: 0...2, using: &generator) &* 127 }
                    let key = shared + suffix
                    if Int.random(in: 0..<4, using: &generator) == 0 {
                        let was = try table.delete(key)
                        try expect(was == (model.removeValue(forKey: key) != nil), "delete said \(was)")
                    } else {
                        let value = [UInt8](
                            repeating: UInt8(suffix.count), count: Int.random(in: 0...200, using: &generator))
                        model[key] = value
                        try table.put(key, value)
                    }
                }
                let wanted = model.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { Entry(key: $0, value: $1) }
                try expectSame(try table.entries(), wanted, "forward")
                try expectSame(try table.entries(reverse: true), wanted.reversed(), "reverse")
                try expectSame(
                    try table.entries(from: shared, through: shared), wanted.filter { $0.key == shared }, "prefix")
                try expect(try table.table.count() == wanted.count, "count is \(try table.table.count())")
                for entry in wanted { try expect(try table.delete(entry.key), "\(brief(entry.key)) was not there") }
                try expectSame(try table.entries(), [], "after deleting all")
                try expect(try table.table.count() == 0, "count is \(try table.table.count()), not 0")
            }
        },
    ]
}
