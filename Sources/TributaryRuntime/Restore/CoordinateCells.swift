internal import TributaryCore
internal import TributaryLineage

/// Cells of records that have none that counts: a record's own coordinate; with a gap where it is one of a changelog that someone else sent.
final class CoordinateCells {
    private let recorder: LineageRecorder
    private let source: SourcePartition
    private let flags: UInt8
    private let fingerprint: UInt32
    private let bytes = ByteBuffer(capacity: 128)

    init(_ recorder: LineageRecorder, _ source: SourcePartition, isForeign: Bool) {
        self.recorder = recorder
        self.source = source
        flags = isForeign ? Cell.gap : 0
        fingerprint = isForeign ? 0 : recorder.fingerprint
    }

    @_lifetime(immortal)
    func cell(_ offset: Int64, _ timestamp: Int64) -> RawSpan {
        guard recorder.mode == .cells else { return RawSpan.empty }
        let cell = recorder.arena.source(source, offset: offset, timestamp: timestamp, fingerprint: fingerprint)
        bytes.writer.removeAll()
        CellHeader.append(cell.with(flags: flags), of: recorder.arena, to: &bytes.writer)
        return bytes.bytes
    }
}
