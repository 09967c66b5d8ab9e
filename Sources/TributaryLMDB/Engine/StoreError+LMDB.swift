internal import CLMDB
internal import TributaryCore
internal import TributaryState

extension StoreError {
    /// The store's words for what LMDB could not do.
    init(_ error: LMDBError, store: String? = nil) {
        let code: StoreError.Code =
            switch error.kind {
            case .mapFull: .mapFull
            case .diskFull: .diskFull
            case .corrupt: .corrupt
            case .unknownFormat: .unknownFormat
            case .readersFull: .inUse
            case .badKey: .invalidRequest
            case .badTransaction, .notFound, .io: .io
            }
        if error.code == MDB_DBS_FULL {
            self.init(.invalidRequest, "no room for another table: raise maximumTables (\(error))", store: store)
        } else {
            self.init(code, error.description, store: store)
        }
    }

    /// Stored bytes that cannot be read.
    init(_ error: MalformedBytes, store: String, key: RawSpan) {
        self.init(.corrupt, "a bucket of long keys is malformed: \(error)", store: store, key: key.hexadecimal)
    }
}
