/// The names of keys with underscores between words, and without.
///
/// Both ways go through the characters once and hold back what the next character decides about.
enum SnakeCase {
    /// `one_two_three` as `oneTwoThree`; underscores at both ends stay, and so does a name of one word.
    static func decoded(_ name: String) -> String {
        var result = ""
        var words = 0
        // Underscores since the last character that was none.
        var gap = 0
        // A letter after a letter is written small, any other one large but for the first word.
        var isAfterLetter = false
        for character in name {
            if character == "_" {
                if words == 0 { result.append(character) } else { gap += 1 }
                continue
            }
            if words == 0 || gap > 0 {
                words += 1
                gap = 0
                isAfterLetter = false
            }
            let isLetter = isSmall(character) || isLarge(character)
            if words == 1 || isLetter && isAfterLetter {
                result += character.lowercased()
            } else {
                result += isLetter ? capital(character) : String(character)
            }
            isAfterLetter = isLetter || isAfterLetter && isInsideWord(character)
        }
        guard words > 1 else { return name }
        return result + String(repeating: "_", count: gap)
    }

    /// True of what may stand between the letters of a word: an apostrophe, marks.
    private static func isInsideWord(_ character: Character) -> Bool {
        switch character.unicodeScalars.first?.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .modifierLetter, .modifierSymbol: true
        default: character == "'"
        }
    }

    /// The character as it begins a word: of letters that are two in one, only the first becomes large.
    private static func capital(_ character: Character) -> String {
        var result = ""
        for scalar in character.unicodeScalars {
            result += result.isEmpty ? scalar.properties.titlecaseMapping : scalar.properties.lowercaseMapping
        }
        return result
    }

    /// `oneTwoThree` as `one_two_three`, `myURLProperty` as `my_url_property`.
    ///
    /// A capital begins a word. So does the last character of a run that began with a capital and that a small letter ends.
    static func encoded(_ name: String) -> String {
        var result = ""
        // The character before this one, not yet written, and its place in a run, counted from one; zero outside of runs.
        var held: Character?
        var run = 0
        for character in name {
            var isWordStart = false
            if let last = held {
                if run > 0, isSmall(character) {
                    if run > 1 { result += "_" }
                    run = 0
                } else if run > 0 {
                    run += 1
                } else if isLarge(character) {
                    isWordStart = true
                    run = 1
                }
                result += last.lowercased()
            }
            if isWordStart { result += "_" }
            held = character
        }
        if let held { result += held.lowercased() }
        return result
    }

    // By the category, which unlike Swift's properties makes no letter both small and large.
    private static func isSmall(_ character: Character) -> Bool {
        character.unicodeScalars.first?.properties.generalCategory == .lowercaseLetter
    }

    private static func isLarge(_ character: Character) -> Bool {
        let category = character.unicodeScalars.first?.properties.generalCategory
        return category == .uppercaseLetter || category == .titlecaseLetter
    }
}
