internal import Synchronization
internal import TributaryCore

/// A full batch on its way into the log.
@safe struct SealedBatch: BitwiseCopyable {
    var batch: OpenBatch
    var topic: UInt32
    var partition: Int32
    /// The producer's own number for the partition.
    var slot: Int
    /// Whether the partition's stream time is kept.
    var hasStreamTime = false
    /// Where its first record is; known once it is written.
    var baseOffset: Int64 = -1
}

/// What is written as one or not at all: batches, and the offsets of a group.
///
/// Made by one thread, handed to the writer, and touched by its maker again only when ``isDone``.
@safe final class WriteSet: @unchecked Sendable {
    /// Who writes it, for fencing; nil without transactions.
    struct Transaction {
        let id: String
        let epoch: UInt64
    }

    /// The batches; the set owns their memory.
    var batches: [SealedBatch]
    let bytes: Int
    let transaction: Transaction?
    let offsets: [TopicPartition: CommittedOffset]
    let group: String?

    // The result, written by the writer before `done`.
    var failure: LogError?
    /// Which batch it was refused for.
    var refused: Int?
    var commit: Int64 = 0

    private let done = Atomic<Bool>(false)
    private let word: FutexWord

    init(
        batches: [SealedBatch], bytes: Int, transaction: Transaction? = nil,
        offsets: [TopicPartition: CommittedOffset] = [:], group: String? = nil, word: FutexWord
    ) {
        self.batches = batches
        self.bytes = bytes
        self.transaction = transaction
        self.offsets = offsets
        self.group = group
        self.word = word
    }

    deinit { for batch in batches { unsafe batch.batch.base?.deallocate() } }

    /// Takes the batches with their memory out of the set, which is done.
    func takeBatches() -> [SealedBatch] {
        let taken = batches
        batches = []
        return taken
    }

    /// Whether there is nothing to write.
    var isEmpty: Bool { batches.isEmpty && offsets.isEmpty }

    /// Whether the writer is through with it.
    var isDone: Bool { done.load(ordering: .acquiring) }

    /// Hands it back to its maker.
    func finish() {
        done.store(true, ordering: .releasing)
        word.announce()
    }

    /// Waits until it is done.
    func wait() {
        while true {
            let seen = word.now
            if isDone { return }
            word.wait(seen, nanoseconds: 1_000_000_000)
        }
    }
}
