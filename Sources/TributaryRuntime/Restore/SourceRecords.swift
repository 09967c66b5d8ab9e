internal import TributaryCore
internal import TributaryDSL
internal import TributaryLineage

/// What a source makes of its topic's records, for a restore that reads them again: what it dropped then it drops now.
final class SourceRecords {
    private let source: Topology.Source
    private let partition: TopicPartition
    private let timestamps: TimestampExtractor
    private var partitionTime: Int64 = -1

    init(_ source: Topology.Source, _ partition: TopicPartition, _ timestamps: TimestampExtractor) {
        self.source = source
        self.partition = partition
        self.timestamps = source.timestamps ?? timestamps
    }

    /// The time of a record; nil for one that the source drops.
    func time(of batch: RecordBatch, _ index: Int) -> Int64? {
        var time = batch.timestamp(index)
        if !timestamps.keepsValid || time < 0 {
            let record = UndecodedRecord(
                timestamp: time, partitionTime: partitionTime, key: batch.key(index), value: batch.value(index),
                headers: batch.headers(index),
                coordinate: RecordCoordinate(
                    topic: partition.topic, partition: partition.partition, offset: batch.offset(index)))
            do { time = try timestamps.extract(record) } catch { return nil }
        }
        guard time >= 0, source.accepts(batch.key(index), batch.value(index)) else { return nil }
        partitionTime = max(partitionTime, time)
        return time
    }

    /// The context that a record came with.
    func context(of batch: RecordBatch, _ index: Int, _ recorder: LineageRecorder) -> TraceContext {
        let stripped = StrippedHeaders(batch.headers(index))
        var context = batch.context(index).isValid ? batch.context(index) : stripped.context
        let own = StrippedHeaders(batch.lineageHeaders(index))
        let tracestate = own.tracestate.isEmpty ? stripped.tracestate : own.tracestate
        recorder.know(tracestate.span.bytes, of: &context)
        return context
    }
}
