internal import TributaryCore
internal import TributaryLMDB
internal import TributaryState

/// Compares two stores byte for byte: keys, and envelopes with value, timestamp, context and cell.
struct StoreComparison {
    private(set) var rows = 0
    private(set) var bytes: Int64 = 0
    /// What differs first, in words.
    private(set) var difference: String?

    /// Compares one table of two state directories.
    init(_ table: String, _ left: LMDBStateReader, _ right: LMDBStateReader) throws {
        var copy: [(key: [UInt8], value: [UInt8])] = []
        try left.forEach(table, from: nil, through: nil) { (key, value) throws(StoreError) in
            copy.append(([UInt8](copying: key), [UInt8](copying: value)))
            return true
        }
        var index = 0
        var difference: String?
        try right.forEach(table, from: nil, through: nil) { (key, value) throws(StoreError) in
            guard index < copy.count else {
                difference = "the second has more rows than the first"
                return false
            }
            let own = copy[index]
            if !own.key.span.bytes.isEqual(to: key) {
                difference = "row \(index) has another key"
            } else if !own.value.span.bytes.isEqual(to: value) {
                difference = "the row of \(BytesFormat.auto.text(own.key)) differs"
            }
            index += 1
            return difference == nil
        }
        if difference == nil, index < copy.count { difference = "the second lacks \(copy.count - index) rows" }
        rows = index
        bytes = copy.reduce(0) { $0 + Int64($1.key.count + $1.value.count) }
        self.difference = difference
    }
}
