import CrashApplication
import Tributary
import TributaryCore
import TributaryLMDB
import TributaryLineage

/// A row of a store or of a changelog: the value with everything that is kept beside it.
struct StoredRow: Equatable {
    var value: [UInt8]
    var timestamp: Int64
    var context: [UInt8]
    var cell: [UInt8]

    init(envelope: RawSpan) throws {
        let view = try EnvelopeView(envelope)
        value = if let payload = view.payload { [UInt8](copying: payload) } else { [] }
        timestamp = view.timestamp ?? 0
        context = StoredRow.bytes(view.context)
        cell = [UInt8](copying: view.cell)
    }

    init(_ batch: RecordBatch, _ index: Int) throws {
        value = if let value = batch.value(index) { [UInt8](copying: value) } else { [] }
        timestamp = batch.timestamp(index)
        context = StoredRow.bytes(batch.context(index))
        // Topics of others carry no cell.
        cell = batch.cell(index).isEmpty ? [] : [UInt8](copying: try CellHeader.cellBytes(batch.cell(index)))
    }

    private static func bytes(_ context: TraceContext) -> [UInt8] {
        var writer = ByteWriter()
        context.appendTraceparent(to: &writer)
        return writer.copy()
    }

    /// The cell, decoded.
    func report() throws -> CellReport { try CellReport(cell.span.bytes, names: SourceNames()) }
}

/// A record of a topic.
struct LoggedRow {
    var key: [UInt8]
    var row: StoredRow
}

/// What the log and the state directory say after the application has ended.
enum BankState {
    /// The last value of each key in a topic, with its lineage.
    static func last(_ log: EmbeddedLog, _ topic: String) throws -> [[UInt8]: StoredRow] {
        var rows: [[UInt8]: StoredRow] = [:]
        for record in try all(log, topic) { rows[record.key] = record.row }
        return rows
    }

    /// All records of a topic that have a key, by partition.
    static func all(_ log: EmbeddedLog, _ topic: String) throws -> [LoggedRow] {
        var records: [LoggedRow] = []
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "crash-test"))
        defer { consumer.close() }
        for partition in 0..<BankApplication.partitions {
            let place = TopicPartition(topic, partition)
            let ends = try log.watermarks(place, committed: true)
            let assignment = try consumer.assign(place, from: ends.low)
            while consumer.position(assignment) < ends.high, let batch = try consumer.poll(timeout: 1000) {
                for index in 0..<batch.count {
                    guard let key = batch.key(index) else { continue }
                    records.append(LoggedRow(key: [UInt8](copying: key), row: try StoredRow(batch, index)))
                }
            }
            consumer.unassign(assignment)
        }
        return records
    }

    /// All rows of a store in all tasks' state, envelope and all.
    static func rows(_ directory: String, store: String, tasks: [String]) throws -> [[UInt8]: [UInt8]] {
        var rows: [[UInt8]: [UInt8]] = [:]
        for task in tasks {
            let reader = try LMDBStateReader(directory: "\(directory)/\(task)")
            for table in try reader.tableNames() where table == store || table.hasPrefix(store + "@") {
                try reader.forEach(table, from: nil, through: nil) { key, value in
                    rows[[UInt8](copying: key)] = [UInt8](copying: value)
                    return true
                }
            }
        }
        return rows
    }
}
