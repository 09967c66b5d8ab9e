import TributaryCore
import TributaryState

/// Lengths around the places where an engine may change how it keeps a key.
let keyLengths = [0, 1, 2, 7, 8, 9, 255, 256, 502, 503, 504, 505, 510, 511, 512, 513, 1024, 5000]

/// Keys of `length` bytes that share all but their last byte.
func longKey(_ length: Int, last: UInt8 = 7, fill: UInt8 = 0x61) -> [UInt8] {
    length == 0 ? [] : [UInt8](repeating: fill, count: length - 1) + [last]
}

extension StateEngineConformance {
    static let pointChecks: [Check] = [
        Check(name: "a put value is found until it is deleted") { suite in
            try suite.withTable { _, table in
                try table.expectGet([1], is: nil)
                try expect(try !table.delete([1]), "deleting a missing key says that it was there")
                try table.put([1], [10])
                try table.expectGet([1], is: [10])
                try table.expectGet([1, 0], is: nil)
                try expect(try table.delete([1]), "deleting a key says that it was not there")
                try table.expectGet([1], is: nil)
                try expect(try !table.delete([1]), "deleting a key twice says that it was there")
                try expect(try table.table.count() == 0, "the table is not empty")
            }
        },
        Check(name: "a value is replaced by shorter, longer, empty and large ones") { suite in
            try suite.withTable { _, table in
                for length in [5, 3, 9, 0, 1, 4000, 100, 70_000, 0, 2] {
                    for key: [UInt8] in [[], [5], longKey(600)] {
                        try table.put(key, [UInt8](repeating: UInt8(length & 0xff), count: length))
                    }
                    for key: [UInt8] in [[], [5], longKey(600)] {
                        try table.expectGet(key, is: [UInt8](repeating: UInt8(length & 0xff), count: length))
                    }
                    try expect(try table.table.count() == 3, "count is \(try table.table.count()), not 3")
                }
            }
        },
        Check(name: "empty keys and values are keys and values") { suite in
            try suite.withTable { _, table in
                try table.put([], [])
                try table.expectGet([], is: [])
                try table.put([0], [])
                try table.expectGet([0], is: [])
                try expectSame(
                    try table.entries(), [Entry(key: [], value: []), Entry(key: [0], value: [])], "both")
                try expectSame(try table.entries(from: [], through: []), [Entry(key: [], value: [])], "only the empty")
                try expect(try table.delete([]), "the empty key was not there")
                try table.expectGet([], is: nil)
                try table.expectGet([0], is: [])
            }
        },
        Check(name: "keys of any length are found and deleted") { suite in
            try suite.withTable { _, table in
                for length in keyLengths { try table.put(longKey(length), [UInt8(length & 0xff), 1]) }
                try expect(try table.table.count() == keyLengths.count, "count is \(try table.table.count())")
                for length in keyLengths {
                    try table.expectGet(longKey(length), is: [UInt8(length & 0xff), 1], "length \(length)")
                    try table.expectGet(longKey(length + 1, last: 0x61), is: nil, "length \(length) and one more")
                    if length > 0 { try table.expectGet(longKey(length, last: 8), is: nil, "another last byte") }
                }
                for (index, length) in keyLengths.enumerated() {
                    try expect(try table.delete(longKey(length)), "the key of \(length) bytes was not there")
                    try table.expectGet(longKey(length), is: nil)
                    let left = keyLengths.count - index - 1
                    try expect(try table.table.count() == left, "count is \(try table.table.count()), not \(left)")
                }
            }
        },
        Check(name: "a thousand entries are counted and found in any order") { suite in
            try suite.withTable { _, table in
                var generator = SeededGenerator(seed: 3)
                let numbers = Array(0..<1000).shuffled(using: &generator)
                for number in numbers { try table.put(key(number), [UInt8(number & 0xff)]) }
                try expect(try table.table.count() == 1000, "count is \(try table.table.count())")
                for number in 0..<1000 { try table.expectGet(key(number), is: [UInt8(number & 0xff)]) }
                for number in numbers where number % 3 != 0 {
                    try expect(try table.delete(key(number)), "\(number) was not there")
                }
                for number in 0..<1000 {
                    try table.expectGet(key(number), is: number % 3 == 0 ? [UInt8(number & 0xff)] : nil)
                }
                try expect(try table.table.count() == 334, "count is \(try table.table.count()), not 334")
            }
        },
        Check(name: "append takes ascending keys and refuses others") { suite in
            try suite.withTable { _, table in
                try table.append([], [0])
                for number in 1...300 { try table.append(key(number), [UInt8(number & 0xff)]) }
                try expectError(.invalidRequest, what: "appending the last key again") {
                    try table.append(key(300), [1])
                }
                try expectError(.invalidRequest, what: "appending a lower key") { try table.append(key(5), [1]) }
                try table.append(key(301), [45])
                let long = [UInt8](repeating: 0xff, count: 503)
                var wanted = 302
                for suffix: [UInt8] in [[], [1], [1, 0], [2], [2, 3], [0xff]] {
                    try table.append(long + suffix, suffix)
                    wanted += 1
                }
                try expectError(.invalidRequest, what: "appending a long key again") {
                    try table.append(long + [0xff], [])
                }
                try expectError(.invalidRequest, what: "appending a lower long key") {
                    try table.append(long + [2, 2], [])
                }
                try expect(try table.table.count() == wanted, "count is \(try table.table.count()), not \(wanted)")
                try table.expectGet(key(301), is: [45])
                try table.expectGet(long + [2], is: [2])
            }
        },
    ]
}

/// A key of two bytes, big-endian.
func key(_ number: Int) -> [UInt8] { [UInt8(number >> 8 & 0xff), UInt8(number & 0xff)] }
