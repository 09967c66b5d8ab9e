internal import TributaryCore
internal import TributaryState

extension LMDBStateEngine {
    /// Notes that something stored is not what was written, so that the next opening throws `StoreError.Code.corrupt`.
    public func noteDamage(_ what: String) { marks.noteDamage(what) }

    /// Notes that the task has processed and committed since it was opened.
    public func noteProgress() {
        guard !hasProgress.value else { return }
        hasProgress.value = true
        marks.gotOn()
    }

    /// Walks over a state file and checks all of it: pages, their order and use, and each row's checksum.
    ///
    /// Neither maps the file nor writes to it. May be called beside a writer if that cannot reuse pages meanwhile.
    static func walk(_ path: String) throws(LMDBDamage) -> LMDBFileWalk {
        let walk = try LMDBFileWalk(path: path)
        var seals: [String: RowSeal] = [:]
        try walk.run { (database, key, value) throws(LMDBDamage) in
            let seal = seals[database] ?? RowSeal(database)
            seals[database] = seal
            guard seal.open(key, value) != nil else {
                throw LMDBDamage(message: "a row of \(database) is not what was written", page: 0)
            }
        }
        return walk
    }

    /// Decides whether a file may be opened, before LMDB maps it: what is damaged could end the process, or be read as if it
    /// were sound.
    ///
    /// - Returns: how many starts in a row have died on it.
    static func inspect(_ path: String, _ options: LMDBStateOptions) throws(StoreError) -> Int {
        let marks = StateMarks(path)
        let unclosed = marks.unclosed
        let size = StateFiles.size(path) ?? 0
        guard size > 0 else {
            if StateFiles.size(path + "-lock") != nil, unclosed?.isMade ?? true {
                throw StoreError(.corrupt, "\(path) is gone or empty, but has been in use")
            }
            try marks.clearDamage()
            return unclosed?.deaths ?? 0
        }
        if let damage = marks.damage { throw StoreError(.corrupt, "\(path) was found damaged: \(damage)") }
        if let deaths = unclosed?.deaths, deaths >= options.maximumDeaths {
            throw StoreError(
                .corrupt, "\(path): the last \(deaths) starts on it died before they had processed and committed")
        }
        if unclosed != nil || size <= options.checkedBytes {
            do throws(LMDBDamage) {
                let walk = try walk(path)
                try extend(path, walk)
            } catch {
                throw StoreError(.corrupt, "\(path): \(error)")
            }
        } else {
            try StateFileCheck.check(path)
        }
        return unclosed?.deaths ?? 0
    }

    // A process that dies between a commit and this leaves a file that lacks free pages at its end.
    private static func extend(_ path: String, _ walk: borrowing LMDBFileWalk) throws(LMDBDamage) {
        do throws(StoreError) { try StateFiles.extend(path, to: walk.neededBytes) } catch {
            throw LMDBDamage(message: "the file lacks pages at its end: \(error.message)", page: walk.lastPage)
        }
    }
}
