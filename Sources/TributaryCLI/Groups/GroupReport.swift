internal import TributaryCore
internal import TributaryLineage

/// What is known of a group: who is in it, and how far it has read.
struct GroupReport {
    /// One partition that the group has committed an offset of.
    struct Partition {
        var place: TopicPartition
        var committed: CommittedOffset
        /// Nil if the topic is gone.
        var ends: Watermarks?

        var lag: Int64? { ends.map { max($0.high - committed.offset, 0) } }
    }

    let group: GroupDescription
    let partitions: [Partition]

    init(_ group: GroupDescription, _ log: any Log) throws {
        self.group = group
        var partitions: [Partition] = []
        for (place, committed) in try log.committedOffsets(group: group.name).sorted(by: { $0.key < $1.key }) {
            var ends: Watermarks?
            do throws(LogError) { ends = try log.watermarks(place, committed: true) } catch {
                guard error.code == .unknownTopic else { throw error }
            }
            partitions.append(Partition(place: place, committed: committed, ends: ends))
        }
        self.partitions = partitions
    }

    /// The group of a name, which must be there.
    static func find(_ name: String, _ log: any Log) throws -> GroupReport {
        let groups = try log.groups()
        if let group = groups.first(where: { $0.name == name }) { return try GroupReport(group, log) }
        let near = groups.map(\.name).min { distance($0, name) < distance($1, name) }
        if let near, distance(near, name) <= 3 {
            throw CommandError("there is no group '\(name)'; did you mean '\(near)'?")
        }
        throw CommandError("there is no group '\(name)'; 'tributary groups list' shows those that are there")
    }

    private var lag: Int64 { partitions.reduce(0) { $0 + ($1.lag ?? 0) } }

    private var state: String {
        group.members.isEmpty ? "stopped" : "running: \(group.members.joined(separator: ", "))"
    }

    private var topics: [(name: String, partitions: [Partition])] {
        Dictionary(grouping: partitions, by: \.place.topic).sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// One line, without the name.
    var summary: String {
        let count = partitions.count == 1 ? "1 partition" : "\(partitions.count) partitions"
        return "\(count)  lag \(NumberText.grouped(lag))  \(state)"
    }

    /// Who is in it, and a line for each topic.
    var lines: [String] {
        var lines = ["\(group.name)  \(state)"]
        if partitions.isEmpty { lines.append("  nothing is committed") }
        for topic in topics {
            let lag = topic.partitions.reduce(0) { $0 + ($1.lag ?? 0) }
            let count = topic.partitions.count == 1 ? "1 partition" : "\(topic.partitions.count) partitions"
            let isGone = topic.partitions.allSatisfy { $0.ends == nil }
            lines.append(
                "  \(topic.name)  \(count)  \(isGone ? "the topic is gone" : "lag \(NumberText.grouped(lag))")")
        }
        return lines
    }

    /// A line for each partition.
    var offsets: [String] {
        let width = partitions.map { "\($0.place)".count }.max() ?? 0
        return partitions.map { partition in
            let name = "\(partition.place)"
            var line = name + String(repeating: " ", count: width - name.count)
            line += "  committed \(partition.committed.offset)"
            if let ends = partition.ends {
                line += "  of \(ends.low) to \(ends.high)  lag \(partition.lag ?? 0)"
            } else {
                line += "  the topic is gone"
            }
            let metadata = partition.committed.metadata
            return metadata.isEmpty ? line : line + "  metadata \(Printable.line(metadata))"
        }
    }

    var json: String {
        var writer = ByteWriter()
        writer.appendObject { writer, members in
            members.string("group", group.name, &writer)
            members.name("members", &writer)
            writer.append(0x5b)
            for (index, member) in group.members.enumerated() {
                if index > 0 { writer.append(0x2c) }
                writer.append(json: member)
            }
            writer.append(0x5d)
            members.integer("lag", lag, &writer)
            members.name("partitions", &writer)
            writer.append(0x5b)
            for (index, partition) in partitions.enumerated() {
                if index > 0 { writer.append(0x2c) }
                Self.append(partition, &writer)
            }
            writer.append(0x5d)
        }
        return writer.text
    }

    private static func append(_ partition: Partition, _ writer: inout ByteWriter) {
        writer.appendObject { writer, members in
            members.string("topic", partition.place.topic, &writer)
            members.integer("partition", Int64(partition.place.partition), &writer)
            members.integer("committed", partition.committed.offset, &writer)
            if let ends = partition.ends {
                members.integer("low", ends.low, &writer)
                members.integer("high", ends.high, &writer)
                members.integer("lag", partition.lag ?? 0, &writer)
            }
            if !partition.committed.metadata.isEmpty {
                members.string("metadata", partition.committed.metadata, &writer)
            }
        }
    }
}
