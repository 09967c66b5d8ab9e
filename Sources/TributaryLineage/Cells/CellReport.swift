public import TributaryCore

/// A cell for people and programs: numbers, names, and a form as text and as JSON.
public struct CellReport: Sendable, Equatable {
    /// The contributions of one source partition, or of all partitions of a topic.
    public struct Source: Sendable, Equatable {
        /// The topic; the hash as 8 hexadecimal digits if its name isn't known.
        public var topic: String
        /// The partition; nil if all partitions of the topic were collapsed.
        public var partition: Int32?
        /// The lowest offset; nil if collapsed.
        public var first: Int64?
        /// The highest offset; nil if collapsed.
        public var last: Int64?
        /// How many contributions.
        public var count: UInt64

        /// Makes a source; give nil for partition and offsets if it is collapsed.
        public init(topic: String, partition: Int32?, first: Int64?, last: Int64?, count: UInt64) {
            self.topic = topic
            self.partition = partition
            self.first = first
            self.last = last
            self.count = count
        }
    }

    /// How many contributions.
    public var count: UInt64
    /// The sum of the hashes of all contributions, 32 hexadecimal digits.
    public var digest: String
    /// The earliest timestamp of a contribution, ms.
    public var earliest: Int64
    /// The latest timestamp of a contribution, ms.
    public var latest: Int64
    /// The names of the flags in the order of their bits.
    public var flags: [String]
    /// The topology that made it, 8 hexadecimal digits; all zero if several did.
    public var fingerprint: String
    /// Where the contributions are.
    public var sources: [Source]

    /// Reports a cell of an arena.
    public init(_ cell: Cell, of arena: CellArena, names: SourceNames) {
        count = cell.count
        digest = hexadecimal(UInt64(cell.digest >> 64)) + hexadecimal(UInt64(truncatingIfNeeded: cell.digest))
        earliest = cell.earliest
        latest = cell.latest
        flags = Cell.flagNames.enumerated().filter { cell.flags & (1 << $0.offset) != 0 }.map { $0.element }
        fingerprint = hexadecimal(UInt64(cell.fingerprint), digits: 8)
        sources = arena.entries(of: cell).map { entry in
            let collapsed = entry.partition < 0
            return Source(
                topic: collapsed && entry.source == CellStack.severalTopics
                    ? "*" : names[entry.source] ?? hexadecimal(UInt64(entry.source), digits: 8),
                partition: collapsed ? nil : entry.partition, first: collapsed ? nil : entry.first,
                last: collapsed ? nil : entry.last, count: entry.count)
        }
    }

    /// Reports the bytes of a cell, without version byte.
    ///
    /// - Throws: `MalformedBytes` if they are none.
    public init(_ bytes: RawSpan, names: SourceNames) throws(MalformedBytes) {
        let arena = CellArena()
        self.init(try arena.decode(bytes), of: arena, names: names)
    }

    /// The report as one JSON object.
    public var json: String {
        var writer = ByteWriter()
        appendJSON(to: &writer)
        return writer.text
    }

    /// Writes the report as one JSON object.
    public func appendJSON(to writer: inout ByteWriter) {
        writer.append(ascii: #"{"n": "#)
        writer.append(decimal: count)
        writer.append(ascii: #", "digest": "#)
        writer.append(json: digest)
        writer.append(ascii: #", "earliest": "#)
        writer.append(decimal: earliest)
        writer.append(ascii: #", "latest": "#)
        writer.append(decimal: latest)
        writer.append(ascii: #", "flags": ["#)
        for (index, flag) in flags.enumerated() {
            if index > 0 { writer.append(ascii: ", ") }
            writer.append(json: flag)
        }
        writer.append(ascii: #"], "sources": ["#)
        for (index, source) in sources.enumerated() {
            if index > 0 { writer.append(ascii: ", ") }
            source.appendJSON(to: &writer)
        }
        writer.append(ascii: "]}")
    }

    /// The report in one line, for example `3 records, S1-0 @ 3...9 (2), T1-0 @ 4 (1), from 100 to 256, digest 8ef9..., gap`.
    public var line: String {
        guard !sources.isEmpty else { return (["no records"] + flags).joined(separator: ", ") }
        let places = sources.map { source in
            guard let partition = source.partition, let first = source.first, let last = source.last else {
                return "\(source.topic) all partitions (\(source.count))"
            }
            return "\(source.topic)-\(partition) @ \(first)\(last == first ? "" : "...\(last)") (\(source.count))"
        }
        let records = count == 1 ? "1 record" : "\(count) records"
        let times = earliest == latest ? "at \(earliest)" : "from \(earliest) to \(latest)"
        return ([records] + places + [times, "digest \(digest)"] + flags).joined(separator: ", ")
    }
}

extension CellReport.Source {
    fileprivate func appendJSON(to writer: inout ByteWriter) {
        writer.append(ascii: #"{"topic": "#)
        writer.append(json: topic)
        writer.append(ascii: #", "partition": "#)
        writer.append(optional: partition.map { Int64($0) })
        writer.append(ascii: #", "first": "#)
        writer.append(optional: first)
        writer.append(ascii: #", "last": "#)
        writer.append(optional: last)
        writer.append(ascii: #", "count": "#)
        writer.append(decimal: count)
        writer.append(0x7d)
    }
}

extension Cell {
    /// The names of the flags, by bit.
    public static let flagNames = ["gap", "collapsed", "bound", "loose", "impure"]
}

extension ByteWriter {
    fileprivate mutating func append(optional value: Int64?) {
        if let value { append(decimal: value) } else { append(ascii: "null") }
    }
}

/// The last `digits` digits of a word.
private func hexadecimal(_ word: UInt64, digits: Int = 16) -> String {
    var writer = ByteWriter(capacity: 16)
    writer.append(hex: word, digits: digits)
    return writer.text
}
