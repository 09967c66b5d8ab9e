import TestSupport
import Testing
import TributaryCore
import TributaryLineage

/// Cells and their bytes, the examples of `Docs/Formats.md`.
struct CellVector: Sendable {
    let name: String
    let hex: String
    let make: @Sendable (CellTests) -> Cell
}

let cellVectors: [CellVector] = [
    CellVector(
        name: "empty", hex: "00" + "00000000" + String(repeating: "00", count: 16) + "00000000",
        make: { _ in .empty }),
    CellVector(
        name: "one record",
        hex: "00" + "00000007" + "c3495bdaa105af91d09372b5b1ad6ba3" + "01" + "c801" + "00" + "01" + "17a4ebaa00000001",
        make: { $0.source($0.orders, 0) }),
    CellVector(
        name: "two sources, one unknown before",
        hex: "01" + "00000007" + "8ef92a25657b75497ac3834927b427e8" + "03" + "c801" + "9c01" + "02" + "179c7bf500000001"
            + "17a4ebaa00000102",
        make: { test in
            let first = test.source(test.orders, 0)
            let sum = test.arena.add(
                test.arena.add(first, test.source(test.orders, 1, at: 256)), test.source(test.others, 0))
            return sum.with(flags: Cell.gap)
        }),
    CellVector(
        name: "collapsed, before the epoch",
        hex: "02" + "00000007" + "c4b4e6b9190aa98d93c5ab3e3b774846" + "11" + "01" + "00" + "01" + "17a4ebaa" + "01"
            + "11",
        make: { test in
            (0..<Int32(17)).reduce(.empty) {
                let partition = SourcePartition(cluster: "conformance", topic: "S1", partition: $1)
                return test.arena.add($0, test.source(partition, 0, at: -1))
            }
        }),
]

struct H128Vector {
    var cluster = ""
    var topic = ""
    var partition: Int32 = 0
    var offset: Int64 = 0
    var source: UInt32 = 0
    var digest: UInt128 = 0
}

/// Reads the shared vectors, whose fields stand one to a line.
func h128Vectors(file: String = #filePath) throws -> [H128Vector] {
    let folder = file.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    let text = String(decoding: try contents(folder + "/Vectors/h128-vectors.json"), as: UTF8.self)
    var rows: [H128Vector] = []
    var row = H128Vector()
    for line in text.split(separator: "\n") {
        let parts = line.split(separator: ":", maxSplits: 1)
        guard parts.count == 2 else { continue }
        let key = parts[0].filter { $0.isLetter || $0.isNumber }
        let value = String(parts[1]).filter { $0 != "\"" && $0 != "," && $0 != " " }
        switch key {
        case "cluster": row.cluster = value
        case "topic": row.topic = value
        case "partition": row.partition = try #require(Int32(value))
        case "offset": row.offset = try #require(Int64(value))
        case "source": row.source = try #require(UInt32(value, radix: 16))
        case "h128":
            row.digest = try #require(UInt128(value, radix: 16))
            rows.append(row)
        default: break
        }
    }
    return rows
}
