internal import TributaryCore

/// What the newest meta page of a file of LMDB says.
///
/// A meta page: page header 16; magic, version 4 each; address, map size 8 each; the records of two trees, free pages and
/// databases, 48 each, of which the first begins with the page size; last page, transaction 8 each.
struct LMDBMeta {
    let page: UInt64
    let pageSize: Int
    let lastPage: UInt64
    let transaction: UInt64
    let free: LMDBFileWalk.Tree
    let main: LMDBFileWalk.Tree

    /// Reads both meta pages and returns the one that LMDB goes on from.
    static func newest(_ file: Int32) throws(LMDBDamage) -> LMDBMeta {
        let first = try LMDBMeta(file, at: 0, page: 0)
        let second = try LMDBMeta(file, at: UInt64(first.pageSize), page: 1)
        guard first.pageSize == second.pageSize else {
            throw LMDBDamage(message: "the meta pages disagree on the page size", page: 1)
        }
        let newer = first.transaction < second.transaction ? second : first
        let older = first.transaction < second.transaction ? first : second
        // Each commit writes the meta page that the one before did not.
        guard newer.transaction - older.transaction <= 1 else {
            throw LMDBDamage(
                message: "the meta pages are of the transactions \(older.transaction) and \(newer.transaction)",
                page: newer.page)
        }
        return newer
    }

    private init(_ file: Int32, at offset: UInt64, page: UInt64) throws(LMDBDamage) {
        guard let list = readExactly(file, offset, 152) else {
            throw LMDBDamage(message: "the file ends inside its meta pages", page: page)
        }
        let bytes = unsafe list.span.bytes
        func damage(_ message: String) -> LMDBDamage { LMDBDamage(message: message, page: page) }
        guard LMDBFileWalk.word(bytes, 0) == page, LMDBFileWalk.half(bytes, 10) == 8,
            LMDBFileWalk.word(bytes, 16) == 0x1_beef_c0de
        else { throw damage("it is no meta page of LMDB 0.9") }
        let size = Int(LMDBFileWalk.word(bytes, 40) & 0xffff_ffff)
        guard size >= 512, size <= 65536, size.nonzeroBitCount == 1 else { throw damage("a page size of \(size)") }
        self.page = page
        pageSize = size
        free = LMDBFileWalk.tree(bytes.dropping(40).prefix(48), .free, name: "free pages")
        main = LMDBFileWalk.tree(bytes.dropping(88).prefix(48), .databases, name: "databases")
        // Integer keys in the list of free pages, nothing in that of databases; the other flags are the environment's.
        guard LMDBFileWalk.half(bytes, 44) & 0x7e == 8, LMDBFileWalk.half(bytes, 92) & 0x7e == 0 else {
            throw damage("a tree has flags that none is made with")
        }
        lastPage = LMDBFileWalk.word(bytes, 136)
        transaction = LMDBFileWalk.word(bytes, 144)
        guard transaction == 0 || transaction & 1 == page else {
            throw damage("transaction \(transaction) does not write this meta page")
        }
    }
}
