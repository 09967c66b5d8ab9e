internal import TributaryCore
internal import TributaryLineage

/// The spans of a flush: one for each row, over what the row took.
///
/// Rows go to the engine together, sorted by key; then each is logged and forwarded in its turn. A row's span is its turn, and
/// begins earlier by what its write to the engine took.
extension StateStore {
    /// Makes the context of an entry's flush, under which it is written; its span begins with its turn.
    func prepareFlushSpan(_ index: Int32) {
        var parent = cache.context(index)
        var flags: UInt8 = 0
        if !parent.isSampled, cache.table.value.folds.hasSampled(index) {
            // The traces of earlier writes are sampled and would end nowhere: the last one's goes on from here.
            parent = recorder.sampled(parent)
            flags = SpanRecord.parentIsUnsampled
        }
        guard recorder.makesSpan(parent) else { return }
        let isMade = !description.isLatestWins && !cache.entry(index).isDelete
        // What was there before a delete is no part of what there is now.
        cache.table.value.folds.forEach(index) { recorder.link(isMade && $1 ? .merged : .superseded, $0) }
        recorder.contributors(cache.table.value.folds.count(index) + 1)
        let (context, number) = recorder.prepare(operations.flush, parent: parent, flags: flags)
        cache.setContext(index, context)
        if flushSpans.value.count <= Int(index) {
            flushSpans.value.grow(to: max(Int(index) + 1, 2 * flushSpans.value.count, 64), filling: -1)
        }
        flushSpans.value[Int(index)] = Int32(truncatingIfNeeded: number)
        guard recorder.capturesHeaders else { return }
        entryHeaders.writer.removeAll()
        cache.copyHeaders(index, into: &entryHeaders.writer)
        recorder.add(recorder.captured(recorder.plainHeaders(entryHeaders.bytes)), toPrepared: number)
    }

    /// The number of an entry's prepared span; nil if it has none.
    private func flushSpan(_ index: Int32) -> Int? {
        guard recorder.isRecording, Int(index) < flushSpans.value.count, flushSpans.value[Int(index)] >= 0 else {
            return nil
        }
        return Int(flushSpans.value[Int(index)])
    }

    /// Writes an entry to the engine; what it takes counts for its span.
    @inline(__always)
    func timed(_ index: Int32, _ body: () throws -> Void) throws {
        guard let number = flushSpan(index) else { return try body() }
        let start = recorder.time.wall.nanoseconds()
        do { try body() } catch {
            recorder.add(recorder.time.wall.nanoseconds() &- start, toPrepared: number)
            recorder.end(recorder.begin(prepared: number), error: error)
            throw error
        }
        recorder.add(recorder.time.wall.nanoseconds() &- start, toPrepared: number)
    }

    /// An entry's turn.
    @inline(__always)
    func withFlushSpan(_ index: Int32, _ body: () throws -> Void) throws {
        guard let number = flushSpan(index) else {
            recorder.pause()
            return try body()
        }
        let span = recorder.begin(prepared: number)
        let around = recorder.startNotes()
        do { try body() } catch {
            recorder.end(span, around: around, error: error)
            throw error
        }
        recorder.end(span, around: around)
    }

    /// The flush is over, or has failed.
    func forgetFlushSpans(from number: Int) {
        guard recorder.preparedCount > number else { return }
        recorder.forgetPrepared(from: number)
        for place in 0..<cache.takenCount {
            let index = Int(cache.taken(place))
            if index < flushSpans.value.count { flushSpans.value[index] = -1 }
        }
    }
}
